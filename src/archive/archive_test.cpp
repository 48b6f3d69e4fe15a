// SPDX-License-Identifier: Apache-2.0
// Comparing and resharding checkpoints whose files are written here by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "archive/compare.hpp"
#include "archive/reshard.hpp"
#include "archive/stored_checkpoint.hpp"
#include "base/files/files.hpp"
#include "contract/checkpoint_folder.hpp"
#include "support/temp_folder.hpp"
#include "weights/safetensors.hpp"

namespace {

/// Durable steps until this process is killed; negative: never. Only a child sets it.
int g_steps_to_kill = -1;

}  // namespace

/// Before libc's: a crash point at each file and folder that is made durable. Nothing here has to outlive a
/// power cut, so the kernel is not asked.
extern "C" int fsync(int) {
  if (g_steps_to_kill >= 0 && g_steps_to_kill-- == 0) ::raise(SIGKILL);
  return 0;
}

namespace zt::archive {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using weights::DType;

struct Stored {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

template <class T>
Stored stored(std::string name, DType dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {std::move(name), dtype, std::move(shape), {bytes.begin(), bytes.end()}};
}

Stored floats(std::string name, const std::vector<float>& values) {
  return stored(std::move(name), DType::F32, {static_cast<int64_t>(values.size())}, values);
}

contract::ManifestPart write_file(const fs::path& folder, const std::string& file,
                                  const std::vector<Stored>& tensors) {
  std::vector<weights::TensorEntry> entries;
  contract::ManifestPart part;
  for (const Stored& t : tensors) {
    entries.push_back({t.name, t.dtype, t.shape, t.bytes});
    const auto elements = static_cast<int64_t>(t.bytes.size() / weights::size_bytes(t.dtype));
    part.tensors.push_back(
        {t.name, std::string(weights::name(t.dtype)), t.shape, {{0, t.name, 0, elements}}});
  }
  const auto written = weights::write_summed_safetensors(folder / file, entries).value();
  part.files.push_back({file, written.size_bytes, written.xxh128});
  return part;
}

/// A checkpoint of one rank.
fs::path write_checkpoint(const fs::path& folder, const std::vector<Stored>& tensors,
                          const std::vector<Stored>& frozen = {}) {
  fs::create_directories(folder);
  contract::Manifest manifest;
  manifest.step = 7;
  manifest.scalars = {{"train.next_sample", "28"}, {"train.elapsed_s", "1.5"}};
  contract::add_part(manifest, write_file(folder, "rank-00000.safetensors", tensors));
  if (!frozen.empty()) contract::add_part(manifest, write_file(folder, contract::frozen_file(0), frozen));
  EXPECT_TRUE(files::write_atomic(folder / "manifest.json", contract::to_json(manifest)));
  return folder;
}

StoredCheckpoint open(const fs::path& folder) { return StoredCheckpoint::open(folder).value(); }

const std::vector<Stored> kState = {
    floats("param/a", {1, 2, 3, 4, 5, 6, 7}),
    stored<uint8_t>("optimizer.exp_avg_code/a", DType::U8, {1, 3}, {1, 2, 3}),
    Stored{"param/empty", DType::F32, {0, 3}, {}},
    stored<uint16_t>("param/half", DType::BF16, {2}, {0x3F80, 0x4000}),
};
const std::vector<Stored> kFrozen = {floats("param/frozen", {8, 9})};

TEST(Compare, SameBitsAreTheSameWhateverTheTimeTheyTook) {
  const test::TempFolder folder;
  const auto a = open(write_checkpoint(folder / "a", kState, kFrozen));
  const fs::path other = write_checkpoint(folder / "b", kState, kFrozen);
  contract::Manifest manifest = contract::read_manifest(other).value();
  manifest.scalars["train.elapsed_s"] = "99.0";
  manifest.generation = 3;
  ASSERT_TRUE(files::write_atomic(other / "manifest.json", contract::to_json(manifest)));
  const Difference difference = compare(a, open(other));
  EXPECT_TRUE(difference.is_same());
  EXPECT_EQ(difference.num_tensors, 5);
  EXPECT_EQ(difference.num_scalars, 2);  // the step and the next sample
}

TEST(Compare, MeasuresWhatDiffers) {
  const test::TempFolder folder;
  const auto a = open(write_checkpoint(folder / "a", {floats("x", {1, -4, 3, 0})}));
  const auto b = open(write_checkpoint(folder / "b", {floats("x", {1, -5, 3, -0.0F})}));
  const Difference difference = compare(a, b);
  ASSERT_THAT(difference.tensors, SizeIs(1));
  const TensorDifference& x = difference.tensors.front();
  EXPECT_EQ(x.elements, 4);
  EXPECT_EQ(x.differing, 2);  // the two zeros have other bits
  EXPECT_EQ(x.largest_absolute, 1);
  EXPECT_EQ(x.largest_relative, 0.2);
}

TEST(Compare, ReadsEveryType) {
  const test::TempFolder folder;
  // By hand: F16 0x3C00 = 1, 0x3C01 = 1 + 2^-10, 0x0001 = 2^-24; BF16 0x3F80 = 1, 0x4000 = 2.
  const auto a =
      open(write_checkpoint(folder / "a", {stored<uint16_t>("bf16", DType::BF16, {1}, {0x3F80}),
                                           stored<uint16_t>("f16", DType::F16, {1}, {0x3C00}),
                                           stored<uint16_t>("f16.small", DType::F16, {1}, {0x0001}),
                                           stored<double>("f64", DType::F64, {1}, {0.5}),
                                           stored<int64_t>("i64", DType::I64, {1}, {-1}),
                                           stored<uint8_t>("u8", DType::U8, {1}, {255})}));
  const auto b =
      open(write_checkpoint(folder / "b", {stored<uint16_t>("bf16", DType::BF16, {1}, {0x4000}),
                                           stored<uint16_t>("f16", DType::F16, {1}, {0x3C01}),
                                           stored<uint16_t>("f16.small", DType::F16, {1}, {0x8000}),
                                           stored<double>("f64", DType::F64, {1}, {0.25}),
                                           stored<int64_t>("i64", DType::I64, {1}, {9}),
                                           stored<uint8_t>("u8", DType::U8, {1}, {0})}));
  std::vector<double> found;
  for (const TensorDifference& t : compare(a, b).tensors) found.push_back(t.largest_absolute);
  EXPECT_THAT(found, ElementsAre(1, std::ldexp(1, -10), std::ldexp(1, -24), 0.25, 10, 255));
}

TEST(Compare, NumbersThatAreNotFiniteAreInfinitelyFar) {
  const test::TempFolder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto a = open(write_checkpoint(folder / "a", {floats("x", {nan, 1})}));
  const auto b = open(write_checkpoint(folder / "b", {floats("x", {nan, nan})}));
  EXPECT_TRUE(compare(a, a).is_same());
  const Difference difference = compare(a, b);
  ASSERT_THAT(difference.tensors, SizeIs(1));
  EXPECT_EQ(difference.tensors[0].differing, 1);
  EXPECT_TRUE(std::isinf(difference.tensors[0].largest_absolute));
}

TEST(Compare, TellsWhatOneLacksAndWhatIsOfAnotherKind) {
  const test::TempFolder folder;
  const auto a = open(write_checkpoint(folder / "a", {floats("mine", {1}), floats("x", {1, 2})}));
  const fs::path other =
      write_checkpoint(folder / "b", {floats("theirs", {1}), stored<float>("x", DType::F32, {1, 2}, {1, 2})});
  contract::Manifest manifest = contract::read_manifest(other).value();
  manifest.scalars = {{"train.next_sample", "32"}, {"scaler.scale", "2.0"}};
  ASSERT_TRUE(files::write_atomic(other / "manifest.json", contract::to_json(manifest)));
  const Difference difference = compare(a, open(other));
  const auto rows = [](const std::vector<NamedDifference>& differences) {
    std::vector<std::string> out;
    for (const NamedDifference& d : differences) out.push_back(d.name + ": " + d.a + " / " + d.b);
    return out;
  };
  EXPECT_THAT(rows(difference.kinds),
              ElementsAre("mine: F32 [1] / ", "x: F32 [2] / F32 [1, 2]", "theirs:  / F32 [1]"));
  EXPECT_THAT(rows(difference.scalars), ElementsAre("scaler.scale:  / 2.0", "train.next_sample: 28 / 32"));
}

TEST(Reshard, KeepsEveryBitForAnyNumberOfRanksAndBack) {
  const test::TempFolder folder;
  const auto from = open(write_checkpoint(folder / "a", kState, kFrozen));
  for (const int64_t ranks : {1, 2, 5, 24}) {
    const fs::path to = folder / ("to-" + std::to_string(ranks));
    ASSERT_TRUE(reshard(from, ranks, to));
    const auto written = open(to);
    EXPECT_EQ(written.manifest().world_size, ranks);
    EXPECT_THAT(written.manifest().files, SizeIs(static_cast<size_t>(ranks) + 1));
    EXPECT_TRUE(compare(from, written).is_same());
    ASSERT_TRUE(reshard(written, 1, folder / "back"));
    EXPECT_EQ(files::read(folder / "back/rank-00000.safetensors").value(),
              files::read(folder / "a/rank-00000.safetensors").value());
    fs::remove_all(folder / "back");
  }
}

TEST(Reshard, FilesAreOfOneSizeAndFrozenOnesAreLinked) {
  const test::TempFolder folder;
  const auto from = open(
      write_checkpoint(folder / "a", {floats("x", std::vector<float>(999, 1)), floats("y", {1})}, kFrozen));
  ASSERT_TRUE(reshard(from, 4, folder / "b"));
  const auto written = open(folder / "b");
  for (const contract::ManifestTensor& tensor : written.manifest().tensors) {
    if (tensor.name != "x") continue;
    for (const contract::ManifestChunk& chunk : tensor.chunks)
      EXPECT_EQ(chunk.end - chunk.begin, chunk.file == 3 ? 249 : 250);
  }
  EXPECT_TRUE(fs::equivalent(folder / "a/frozen.safetensors", folder / "b/frozen.safetensors"));
}

TEST(Reshard, AKillAtAnyDurableStepLeavesOnlyWhatTheNextRemoves) {
  const test::TempFolder folder;
  const fs::path source = write_checkpoint(folder / "a", kState, kFrozen), to = folder / "out/b";
  bool is_killed = true;
  int kills = 0;
  for (; is_killed; ++kills) {
    ASSERT_LT(kills, 100);
    const pid_t child = ::fork();
    if (child == 0) {
      g_steps_to_kill = kills;
      const auto from = StoredCheckpoint::open(source);
      ::_exit(from && reshard(*from, 2, to) ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    is_killed = WIFSIGNALED(status);
    ASSERT_TRUE(is_killed || WEXITSTATUS(status) == 0);
    ASSERT_TRUE(contract::verify_checkpoint(source));
    if (fs::exists(to)) {
      EXPECT_TRUE(compare(open(source), open(to)).is_same());
      fs::remove_all(to);  // from here the next call starts again
    }
  }
  EXPECT_GT(kills, 5);  // two rank files, manifest, two folders
  ASSERT_TRUE(reshard(open(source), 2, to));
  const fs::directory_iterator left(folder / "out");
  EXPECT_EQ(std::distance(begin(left), end(left)), 1);
}

// As ZeRO-3 leaves them: one tensor in two files, and one in the second only.
TEST(Reshard, TakesFrozenTensorsOfSeveralRanksAsTheyAre) {
  const test::TempFolder folder;
  const fs::path source = folder / "a";
  fs::create_directories(source);
  contract::Manifest manifest;
  manifest.world_size = 2;
  contract::add_part(manifest, write_file(source, "rank-00000.safetensors", kState));
  for (const int rank : {0, 1}) {
    std::vector<Stored> frozen = {floats("param/shared", {1.0F + static_cast<float>(rank), 5})};
    if (rank == 1) frozen.push_back(floats("param/second", {7, 8, 9}));
    contract::ManifestPart part = write_file(source, contract::frozen_file(rank), frozen);
    part.tensors[0].shape = {4};
    part.tensors[0].chunks[0].begin = 2 * rank;
    part.tensors[0].chunks[0].end = 2 * rank + 2;
    contract::add_part(manifest, part);
  }
  ASSERT_TRUE(files::write_atomic(source / "manifest.json", contract::to_json(manifest)));

  for (const int64_t ranks : {1, 3}) {
    const fs::path to = folder / std::to_string(ranks);
    const Status done = reshard(open(source), ranks, to);
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_TRUE(compare(open(source), open(to)).is_same());
    EXPECT_TRUE(fs::exists(to / contract::frozen_file(1)));
  }
}

TEST(Reshard, NeverReplacesAnything) {
  const test::TempFolder folder;
  const auto from = open(write_checkpoint(folder / "a", kState));
  const Status status = reshard(from, 2, folder / "a");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::AlreadyExists);
}

TEST(Reshard, RefusesTheNameOfAnotherStep) {
  const test::TempFolder folder;
  const auto from = open(write_checkpoint(folder / "a", kState));
  const int64_t step = from.manifest().step;

  const Status wrong = reshard(from, 2, folder / contract::checkpoint_name(step + 1));

  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(wrong.error().text(), ::testing::HasSubstr(contract::checkpoint_name(step)));
  EXPECT_FALSE(fs::exists(folder / contract::checkpoint_name(step + 1)));
  EXPECT_TRUE(reshard(from, 2, folder / contract::checkpoint_name(step)));
}

/// Changes the manifest of a checkpoint and opens it.
template <class Change>
Result<StoredCheckpoint> open_changed(const fs::path& folder, Change change) {
  contract::Manifest manifest = contract::read_manifest(folder).value();
  change(manifest);
  EXPECT_TRUE(files::write_atomic(folder / "manifest.json", contract::to_json(manifest)));
  return StoredCheckpoint::open(folder);
}

TEST(StoredCheckpoint, RefusesAManifestThatItsFilesDoNotBear) {
  const test::TempFolder folder;
  const fs::path path = write_checkpoint(folder / "a", kState);
  const auto another_key = open_changed(path, [](auto& m) { m.tensors[0].chunks[0].key = "param/half"; });
  ASSERT_FALSE(another_key);
  EXPECT_EQ(another_key.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(another_key.error().text(), HasSubstr("elements 0 to 7 of param/a are not in"));
  const auto no_key = open_changed(path, [](auto& m) { m.tensors[0].chunks[0].key = "nowhere"; });
  EXPECT_EQ(no_key.error().code, ErrorCode::Corrupt);
  const auto odd_type = open_changed(path, [](auto& m) { m.tensors[0].dtype = "F8_E4M3"; });
  EXPECT_EQ(odd_type.error().code, ErrorCode::Unsupported);
}

TEST(StoredCheckpoint, RefusesAFlippedBit) {
  const test::TempFolder folder;
  const fs::path path = write_checkpoint(folder / "a", kState);
  std::string bytes = files::read(path / "rank-00000.safetensors").value();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  ASSERT_TRUE(files::write_atomic(path / "rank-00000.safetensors", bytes));
  const auto opened = StoredCheckpoint::open(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
}

}  // namespace
}  // namespace zt::archive
