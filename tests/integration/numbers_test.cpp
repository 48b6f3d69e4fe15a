// SPDX-License-Identifier: Apache-2.0
// Steps without a finite gradient, through the worker process: samples poisoned on disk are found and their
// clips left out, the same after a resume; a model that has left the numbers ends the run.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error_policy.hpp"
#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "contract/events.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_run.hpp"
#include "weights/tensor_file.hpp"

namespace zt {
namespace {

namespace fs = std::filesystem;

template <class T>
std::vector<T> events_of(const test::TinyRun& run) {
  std::vector<T> out;
  for (const auto& event : test::value_of(contract::read_events(run.run().events())).events)
    if (const T* found = std::get_if<T>(&event.body)) out.push_back(*found);
  return out;
}

/// Cache entries of latents: those with the largest payload.
std::vector<fs::path> latents_in(const fs::path& cache) {
  std::vector<fs::path> entries;
  uintmax_t largest = 0;
  for (const auto& entry : fs::recursive_directory_iterator(cache))
    if (entry.is_regular_file() && entry.path().filename().string().size() == 32)
      largest = std::max(largest, entry.file_size());
  for (const auto& entry : fs::recursive_directory_iterator(cache))
    if (entry.is_regular_file() && entry.file_size() == largest) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// Makes every number of an entry NaN (all bits set, in each of the stored types); its checksum is right
/// (docs/formats/cache.md).
void poison(const fs::path& entry) {
  std::string bytes = test::value_of(files::read(entry));
  constexpr size_t kHeader = 48, kChecksum = 16;
  std::fill(bytes.begin() + kHeader, bytes.end(), '\xff');
  hash::Xxh128 hash;
  hash.update(entry.filename().string());
  hash.update(std::string_view(bytes).substr(kHeader));
  bytes.replace(kChecksum, 32, hash.hex());
  test::expect_ok(files::write_atomic(entry, bytes));
}

class PoisonedClips : public testing::Test {
 protected:
  PoisonedClips() {
    test::write_puppet_clips(folder_.path(), 8);
    test::TinyRun filling(folder_.path(), "filling", with({"max_train_steps=1", "cache.build_ahead=true"}));
    EXPECT_EQ(filling.finish(), 0) << filling.log();
    const std::vector<fs::path> latents = latents_in(folder_ / "cache");
    EXPECT_GE(latents.size(), 48U);  // 6 clips of 8 frames
    for (size_t i = 0; i < latents.size(); i += latents.size() / 2) poison(latents[i]);
  }
  static std::vector<std::string> with(std::vector<std::string> more) {
    more.insert(more.end(), {"validation.every_steps=0", "checkpoint.every_steps=20", "lanes=2"});
    return more;
  }
  test::TempFolder folder_;
};

TEST_F(PoisonedClips, AreLeftOutAfterTwoFailuresAlsoWhenTheRunIsResumed) {
  const auto settings = with({"max_train_steps=80"});
  test::TinyRun whole(folder_.path(), "whole", settings), broken(folder_.path(), "broken", settings);
  ASSERT_EQ(whole.finish(), 0) << whole.log();
  process::Child child = broken.start();
  broken.interrupt(child, 50, SIGKILL);
  ASSERT_EQ(broken.finish(), 0) << broken.log();

  std::set<std::string> left_out;
  const auto state = whole.state(80);
  for (const auto& [name, value] : state)
    if (name.starts_with("train.left_out_clip.")) left_out.insert(name);
  const auto faults = events_of<contract::FaultFound>(whole);
  const auto skipped = events_of<contract::StepSkipped>(whole);
  EXPECT_GE(left_out.size(), 1U);
  EXPECT_EQ(faults.size(), left_out.size());
  for (const auto& fault : faults) EXPECT_EQ(fault.cause, "data") << fault.what;
  EXPECT_GE(skipped.size(), 2 * left_out.size());
  EXPECT_LE(skipped.size(), 2 * 6U + 4);  // no clip costs more than two steps, but where a whole step is bad
  EXPECT_EQ(broken.state(80), state);
}

/// What a checkpoint says beside its files: cursor, losses, clips left out.
std::map<std::string, std::string> scalars(const test::TinyRun& run, int64_t step) {
  auto all = run.state(step);
  std::erase_if(all, [](const auto& entry) { return entry.first.starts_with("file "); });
  return all;
}

TEST_F(PoisonedClips, AreLeftOutBySeveralRanksAlike) {
  const auto settings = with({"max_train_steps=60"});
  test::TinyRun one(folder_.path(), "one", settings), two(folder_.path(), "two", settings);
  ASSERT_EQ(one.finish(), 0) << one.log();
  const clock::Stopwatch watch;
  ASSERT_EQ(two.finish_on_ranks(2), 0) << two.log();

  const auto skipped = events_of<contract::StepSkipped>(two);
  const auto faults = events_of<contract::FaultFound>(two);
  ASSERT_GE(faults.size(), 1U);
  EXPECT_EQ(skipped.size(), events_of<contract::StepSkipped>(one).size());
  EXPECT_EQ(faults.size(), events_of<contract::FaultFound>(one).size());
  EXPECT_EQ(scalars(two, 60), scalars(one, 60));
  EXPECT_EQ(skipped[0].reason, events_of<contract::StepSkipped>(one)[0].reason);  // and how many elements
  std::printf(
      "two ranks found a clip without finite numbers in step %d of 60, the first one skipped was %d (%.1f s "
      "in all)\n",
      static_cast<int>(faults[0].step), static_cast<int>(skipped[0].step), watch.seconds());
}

class HotModel : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, HotModel, testing::Values(1, 2));

TEST_P(HotModel, GoesBackOnceAndThenEndsTheRun) {
  const test::TempFolder folder;
  test::write_puppet_clips(folder.path(), 8);
  test::TinyRun run(
      folder.path(), "hot",
      {"optimizer.learning_rate=10", "optimizer.adam_weight_decay=1e38", "optimizer.max_skipped_steps=3",
       "max_train_steps=40", "validation.every_steps=0", "checkpoint.every_steps=2", "lanes=2"});

  const int code = GetParam() == 1 ? run.finish() : run.finish_on_ranks(GetParam());

  EXPECT_EQ(code, policy(ErrorCode::Numeric).exit_code) << run.log();

  const auto faults = events_of<contract::FaultFound>(run);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].cause, "model");
  EXPECT_NE(run.log().find("are made again"), std::string::npos) << run.log();
}

/// Larger ranges of addresses are a sanitizer's own.
constexpr size_t kLargestRange = size_t{1} << 36;

/// Writes `with` over every copy of `bytes` in the writable memory of a stopped process. Returns how many
/// there were.
size_t overwrite(pid_t process, std::string_view bytes, const std::string& with) {
  const fs::path folder = fs::path("/proc") / std::to_string(process);
  std::ifstream maps(folder / "maps");
  std::fstream memory(folder / "mem", std::ios::in | std::ios::out | std::ios::binary);
  size_t copies = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" rw-p ") == std::string::npos) continue;
    const size_t begin = std::stoull(line, nullptr, 16),
                 end = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
    if (end - begin > kLargestRange) continue;
    std::string here(end - begin, '\0');
    memory.clear();
    if (!memory.seekg(static_cast<std::streamoff>(begin)).read(here.data(), std::ssize(here))) continue;
    for (size_t at = here.find(bytes); at != std::string::npos; at = here.find(bytes, at + 1), ++copies)
      memory.seekp(static_cast<std::streamoff>(begin + at)).write(with.data(), std::ssize(with));
  }
  EXPECT_TRUE(memory.flush().good()) << "the memory of process " << process << " was not written";
  return copies;
}

/// The bytes of a tensor in a checkpoint.
std::string bytes_in(const fs::path& checkpoint, const std::string& name) {
  for (const auto& entry : fs::directory_iterator(checkpoint)) {
    if (entry.path().extension() != ".safetensors") continue;
    const auto file = test::value_of(weights::TensorFile::open(entry.path()));
    const weights::TensorEntry* found = file.find(name);
    if (found) return {reinterpret_cast<const char*>(found->bytes.data()), found->bytes.size()};
  }
  ADD_FAILURE() << name << " is not in " << checkpoint;
  return {};
}

// A frozen weight becomes NaN in the memory of the process: its steps have no finite gradient. They are made
// again with what a checkpoint says it is, and then they have: that tells the machine from model and data.
TEST(FaultOfMemory, IsTheHardwaresAndTheRunGoesOnAsIfItHadNotBeen) {
  constexpr int64_t kEvery = 8, kSkipped = 3, kSteps = 24;
  const test::TempFolder folder;
  test::write_puppet_clips(folder.path(), 8);
  const std::vector<std::string> settings = {"freeze=[denoising_unet.conv_in]",
                                             "optimizer.max_skipped_steps=" + std::to_string(kSkipped),
                                             "checkpoint.every_steps=" + std::to_string(kEvery),
                                             "max_train_steps=" + std::to_string(kSteps),
                                             "validation.every_steps=0",
                                             "lanes=2"};
  test::TinyRun whole(folder.path(), "whole", settings), struck(folder.path(), "struck", settings);
  ASSERT_EQ(whole.finish(), 0) << whole.log();
  const std::string weight = bytes_in(whole.run().checkpoints() / contract::checkpoint_name(kSteps),
                                      "param/denoising_unet.conv_in.weight");

  process::Child child = struck.start();
  const int64_t step = struck.stop_after(child, kEvery, kEvery - kSkipped - 2);
  const size_t copies = overwrite(child.pid(), weight, std::string(weight.size(), '\xff'));
  test::expect_ok(child.send(SIGCONT));
  ASSERT_EQ(test::value_of(child.wait(std::chrono::seconds(60))).shell_code(), 0) << struck.log();

  EXPECT_GE(copies, 1U);
  const auto faults = events_of<contract::FaultFound>(struck);
  ASSERT_EQ(faults.size(), 1U) << struck.log();
  EXPECT_EQ(faults[0].cause, "hardware") << faults[0].what;
  EXPECT_EQ(events_of<contract::StepSkipped>(struck).size(), static_cast<size_t>(kSkipped));
  EXPECT_NE(struck.log().find("are made again"), std::string::npos) << struck.log();
  const auto wanted = whole.state(kSteps), found = struck.state(kSteps);
  EXPECT_EQ(found.size(), wanted.size());
  for (const auto& [key, value] : wanted)
    EXPECT_TRUE(found.contains(key) && found.at(key) == value)
        << key << " is " << (found.contains(key) ? found.at(key) : "absent") << ", not " << value
        << "; struck after step " << step;
}

}  // namespace
}  // namespace zt
