// SPDX-License-Identifier: Apache-2.0
// Saver and Reader together, on real files.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/manifest.hpp"
#include "support/temp_folder.hpp"
#include "weights/safetensors.hpp"

namespace zt::checkpoint {
namespace {

namespace fs = std::filesystem;

Snapshot snapshot_of(int64_t step, std::map<std::string, double> metrics = {}) {
  Snapshot s;
  s.step = step;
  s.tensors = {{"param/w", at::arange(12, at::kFloat).view({3, 4}) + double(step)},
               {"optimizer.code/w", at::arange(7, at::kByte)},
               {"ema/w", at::full({2, 3, 4, 4}, double(step)).contiguous(at::MemoryFormat::ChannelsLast)}};
  s.scalars = {{"optimizer.step/net", step}, {"scaler.scale", 65536.0}};
  s.metrics = std::move(metrics);
  return s;
}

SaverOptions options_for(const fs::path& folder, int64_t generation = 1, Retention retention = {}) {
  return {.folder = folder,
          .run_id = "run-00000001",
          .config_digest = "d1",
          .generation = generation,
          .retention = retention};
}

SaveResult save(const SaverOptions& options, const Snapshot& snapshot) {
  Saver saver(options);
  saver.save(snapshot);
  saver.wait();
  return saver.take_results().at(0);
}

void damage(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-1, std::ios::end);
  stream.put('\x7f');
}

TEST(Checkpoint, GivesBackTheVeryTensorsAndScalars) {
  const test::TempFolder folder;
  const SaveResult saved = save(options_for(folder / "checkpoints"), snapshot_of(12, {{"val_loss", 0.25}}));
  ASSERT_TRUE(saved.status) << saved.status.error().text();
  EXPECT_EQ(saved.name, "step-00000012");
  EXPECT_GT(saved.bytes, 12 * 4 + 7 + 96 * 4u);

  const auto found = open_newest(folder / "checkpoints");

  ASSERT_TRUE(found) << found.error().text();
  EXPECT_TRUE(found->refused.empty());
  const Reader& reader = found->reader;
  EXPECT_EQ(reader.manifest().step, 12);
  EXPECT_EQ(reader.manifest().metrics.at("val_loss"), 0.25);
  for (const params::StateTensor& t : snapshot_of(12).tensors) {
    const at::Tensor target = at::zeros_like(t.value);
    ASSERT_TRUE(reader.copy_into({t.name, target})) << t.name;
    EXPECT_TRUE(at::equal(target, t.value)) << t.name;
  }
  const auto scalars = reader.scalars();
  ASSERT_TRUE(scalars);
  EXPECT_EQ(std::get<int64_t>(scalars->at(0).value), 12);
  EXPECT_EQ(std::get<double>(scalars->at(1).value), 65536.0);
}

TEST(Checkpoint, GivesARankItsPiece) {
  const test::TempFolder folder;
  ASSERT_TRUE(save(options_for(folder.path()), snapshot_of(3)).status);
  const auto found = open_newest(folder.path());
  const at::Tensor piece = at::zeros({4});

  ASSERT_TRUE(found->reader.copy_into({"param/w", piece, params::Piece{{3, 4}, 5}}));

  EXPECT_TRUE(at::equal(piece, at::arange(8, 12, at::kFloat)));  // elements 5 to 8 of 3, 4, 5, ...
  const Status other_shape = found->reader.copy_into({"param/w", piece, params::Piece{{12}, 5}});
  EXPECT_EQ(other_shape.error().code, ErrorCode::Corrupt);
}

TEST(Checkpoint, StoresWhatTheTensorsWereUntilTheyWereCopied) {
  const test::TempFolder folder;
  Snapshot s = snapshot_of(1);
  Saver saver(options_for(folder.path()));

  saver.save(s);
  saver.await_copy();
  s.tensors[0].value.fill_(-1);
  saver.wait();

  const auto stored = open_newest(folder.path())->reader.tensor("param/w");
  EXPECT_TRUE(at::equal(*stored, snapshot_of(1).tensors[0].value));
}

// The next step's passes run beside the copy. Best of three: on a busy machine this thread too may wait for a
// core.
TEST(Checkpoint, IsNotCopiedByTheCaller) {
  const test::TempFolder folder;
  Snapshot s = snapshot_of(1);
  s.tensors[0].value = at::zeros({int64_t{32} << 20});
  Saver saver(options_for(folder.path()));

  double blocked_s = 1, copied_s = 0;
  for (int time = 0; time < 3 && blocked_s > 0.1 * copied_s; ++time, ++s.step) {
    const clock::Stopwatch saving;
    saver.save(s);
    blocked_s = saving.seconds();
    copied_s = saver.await_copy();
    ASSERT_TRUE(saver.wait());
  }

  EXPECT_LT(blocked_s, 0.1 * copied_s);
}

TEST(Checkpoint, IsWholeWhenSaveInPlaceReturns) {
  const test::TempFolder folder;
  Snapshot s = snapshot_of(1);
  Saver saver(options_for(folder.path()));

  saver.save_in_place(s);
  s.tensors[0].value.fill_(-1);

  EXPECT_TRUE(saver.take_results().at(0).status);
  const auto stored = open_newest(folder.path())->reader.tensor("param/w");
  EXPECT_TRUE(at::equal(*stored, snapshot_of(1).tensors[0].value));
}

TEST(Checkpoint, KeepsEveryNumberExactly) {
  const test::TempFolder folder;
  Snapshot s = snapshot_of(1);
  const double odd = 0.1 + 0.2, huge = 1e300;
  s.scalars = {{"a", odd},
               {"b", huge},
               {"c", std::numeric_limits<int64_t>::min()},
               {"d", 3.0},
               {"e", std::numeric_limits<double>::infinity()}};
  ASSERT_TRUE(save(options_for(folder.path()), s).status);

  const auto back = open_newest(folder.path())->reader.scalars();

  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), s.scalars.size());
  for (size_t i = 0; i < s.scalars.size(); ++i) EXPECT_EQ(back->at(i).value, s.scalars[i].value) << i;
}

TEST(Checkpoint, RefusesATensorOfAnotherShapeOrType) {
  const test::TempFolder folder;
  ASSERT_TRUE(save(options_for(folder.path()), snapshot_of(1)).status);
  const auto found = open_newest(folder.path());

  EXPECT_EQ(found->reader.copy_into({"param/w", at::zeros({4, 3})}).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(found->reader.copy_into({"param/w", at::zeros({3, 4}, at::kHalf)}).error().code,
            ErrorCode::Corrupt);
  EXPECT_EQ(found->reader.copy_into({"param/none", at::zeros({3, 4})}).error().code, ErrorCode::NotFound);
}

TEST(Checkpoint, DoesNotMakeTheFolderOfARunThatIsGone) {
  const test::TempFolder folder;

  EXPECT_EQ(save(options_for(folder / "run" / "checkpoints"), snapshot_of(1)).status.error().code,
            ErrorCode::NotFound);
  EXPECT_FALSE(fs::exists(folder / "run"));
}

// A launch that failed shows the first line again; what is wrong with each of many is in the log.
TEST(Checkpoint, SaysInOneLineThatNoneIsWholeAndThenWhy) {
  const test::TempFolder folder;
  for (const int64_t step : {1, 2}) {
    ASSERT_TRUE(save(options_for(folder.path()), snapshot_of(step)).status);
    fs::remove(folder / contract::checkpoint_name(step) / "rank-00000.safetensors");
  }

  const std::string message = open_newest(folder.path()).error().message;

  EXPECT_EQ(message.substr(0, message.find('\n')),
            "no checkpoint of " + folder.path().string() + " can be used");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 2);
}

// The files are whole, and what the manifest says of them is not.
TEST(Checkpoint, FallsBackFromAManifestThatMakesNoSense) {
  for (const auto& [right, wrong] : {std::pair("\"65536.0\"", "\"much\""), std::pair("F32", "F16"),
                                     std::pair("\"key\": \"param/w\"", "\"key\": \"param/x\"")}) {
    const test::TempFolder folder;
    for (const int64_t step : {1, 2}) ASSERT_TRUE(save(options_for(folder.path()), snapshot_of(step)).status);
    const fs::path manifest = folder / "step-00000002/manifest.json";
    std::string text = *files::read(manifest);
    ASSERT_NE(text.find(right), text.npos) << right << text;
    ASSERT_TRUE(files::write_atomic(manifest, text.replace(text.find(right), std::strlen(right), wrong)));

    const auto found = open_newest(folder.path());

    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(found->reader.manifest().step, 1) << wrong;
    ASSERT_EQ(found->refused.size(), 1U);
    EXPECT_EQ(found->refused[0].reason.code, ErrorCode::Corrupt);
  }
}

// A training that saves and prunes while another command reads.
TEST(Checkpoint, IsLookedForAgainWhereTrainingRemovedWhatWasListed) {
  const test::TempFolder folder;
  for (const int64_t step : {1, 2})
    ASSERT_TRUE(save(options_for(folder.path(), 1, {.keep_last = 2}), snapshot_of(step)).status);
  int asked = 0;
  SharedVerification verification;
  verification.all_agree = [&](bool mine) -> Result<bool> {
    if (++asked > 1) return mine;
    for (const int64_t step : {3, 4})  // removes 1 and 2
      EXPECT_TRUE(save(options_for(folder.path(), 1, {.keep_last = 1}), snapshot_of(step)).status);
    return false;  // as if it had been half gone
  };

  const auto found = open_newest(folder.path(), verification);

  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->reader.manifest().step, 4);
  EXPECT_TRUE(found->refused.empty());
}

// The one that is still there is neither the newest nor the best.
TEST(Checkpoint, IsLookedForAgainAlsoWhereAnotherCouldBeOpened) {
  const test::TempFolder folder;
  const auto save_step = [&](int64_t step, double loss) {
    const auto options = options_for(folder.path(), 1, {.keep_last = 1, .keep_best = 1});
    return save(options, snapshot_of(step, {{"val_loss", loss}})).status;
  };
  ASSERT_TRUE(save_step(1, 0.1) && save_step(2, 0.5));
  SharedVerification verification;
  verification.all_agree = [&, asked = 0](bool mine) mutable -> Result<bool> {
    if (++asked > 1) return mine;
    EXPECT_TRUE(save_step(3, 0.4));  // removes 2
    return false;
  };

  const auto found = open_newest(folder.path(), verification);

  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->reader.manifest().step, 3);
}

TEST(Checkpoint, FallsBackToTheOneBeforeAndSaysWhy) {
  const test::TempFolder folder;
  for (const int64_t step : {1, 2, 3})
    ASSERT_TRUE(save(options_for(folder.path(), 1, {.keep_last = 3}), snapshot_of(step)).status);
  damage(folder / "step-00000003/rank-00000.safetensors");
  fs::remove(folder / "step-00000002/manifest.json");

  const auto found = open_newest(folder.path());

  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->reader.manifest().step, 1);
  ASSERT_EQ(found->refused.size(), 2u);
  EXPECT_EQ(found->refused[0].name, "step-00000002");
  EXPECT_EQ(found->refused[0].reason.code, ErrorCode::NotFound);
  EXPECT_EQ(found->refused[1].name, "step-00000003");
  EXPECT_NE(found->refused[1].reason.message.find("checksum"), std::string::npos);
}

TEST(Checkpoint, NeverJumpsToStepsThatWereAbandoned) {
  const test::TempFolder folder;
  const Retention all{.keep_last = 9};
  ASSERT_TRUE(save(options_for(folder.path(), 1, all), snapshot_of(5)).status);
  ASSERT_TRUE(save(options_for(folder.path(), 1, all), snapshot_of(10)).status);
  ASSERT_TRUE(save(options_for(folder.path(), 2, all), snapshot_of(6)).status);  // went back to 5

  EXPECT_EQ(open_newest(folder.path())->reader.manifest().step, 6);
  damage(folder / "step-00000006/rank-00000.safetensors");

  EXPECT_EQ(open_newest(folder.path())->reader.manifest().step, 5);
}

TEST(Checkpoint, SaysWhenThereIsNoneOrNoneIsWhole) {
  const test::TempFolder folder;
  EXPECT_EQ(open_newest(folder / "absent").error().code, ErrorCode::NotFound);
  ASSERT_TRUE(save(options_for(folder.path()), snapshot_of(1)).status);
  damage(folder / "step-00000001/rank-00000.safetensors");

  const auto found = open_newest(folder.path());

  EXPECT_EQ(found.error().code, ErrorCode::Corrupt);
  EXPECT_NE(found.error().message.find("step-00000001"), std::string::npos);
}

TEST(Checkpoint, OpensTheBestAndElseTheNewest) {
  const test::TempFolder folder;
  const Retention all{.keep_last = 9};
  ASSERT_TRUE(save(options_for(folder.path(), 1, all), snapshot_of(1, {{"val_loss", 0.5}})).status);
  ASSERT_TRUE(save(options_for(folder.path(), 1, all), snapshot_of(2, {{"val_loss", 0.3}})).status);
  ASSERT_TRUE(save(options_for(folder.path(), 1, all), snapshot_of(3)).status);

  EXPECT_EQ(open_best(folder.path())->reader.manifest().step, 2);
  damage(folder / "step-00000002/rank-00000.safetensors");
  EXPECT_EQ(open_best(folder.path())->reader.manifest().step, 1);
  damage(folder / "step-00000001/rank-00000.safetensors");
  const auto newest = open_best(folder.path());
  EXPECT_EQ(newest->reader.manifest().step, 3);
  EXPECT_EQ(newest->refused.size(), 2u);
}

TEST(Checkpoint, ReplacesAStepThatWasSavedBefore) {
  const test::TempFolder folder;
  ASSERT_TRUE(save(options_for(folder.path(), 1), snapshot_of(4)).status);
  Snapshot again = snapshot_of(4, {{"val_loss", 0.125}});
  again.tensors[0].value.fill_(8);

  ASSERT_TRUE(save(options_for(folder.path(), 2), again).status);

  const auto found = open_newest(folder.path());
  EXPECT_EQ(found->reader.manifest().generation, 2);
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/w"), again.tensors[0].value));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2) << "the step and `latest`";
}

TEST(Checkpoint, RefusesToSaveForAnOlderLaunch) {
  const test::TempFolder folder;
  ASSERT_TRUE(save(options_for(folder.path(), 3), snapshot_of(4)).status);

  const SaveResult late = save(options_for(folder.path(), 2), snapshot_of(5));

  EXPECT_EQ(late.status.error().code, ErrorCode::Superseded);
  EXPECT_FALSE(fs::exists(folder / "step-00000005"));
}

TEST(Checkpoint, GoesOnAfterAFailedSave) {
  const test::TempFolder folder;
  const fs::path checkpoints = folder / "checkpoints";
  ASSERT_TRUE(files::write_atomic(checkpoints, "a file where the folder should be"));
  Saver saver(options_for(checkpoints));

  saver.save(snapshot_of(1));
  saver.wait();
  fs::remove(checkpoints);
  saver.save(snapshot_of(2));
  saver.wait();

  const auto results = saver.take_results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_FALSE(results[0].status);
  EXPECT_TRUE(results[1].status);
  EXPECT_EQ(open_newest(checkpoints)->reader.manifest().step, 2);
  EXPECT_TRUE(saver.take_results().empty());
}

TEST(Checkpoint, ReportsTensorsOfOneName) {
  const test::TempFolder folder;
  Snapshot s = snapshot_of(1);
  s.tensors.push_back(s.tensors[0]);

  EXPECT_EQ(save(options_for(folder.path()), s).status.error().code, ErrorCode::InvalidArgument);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Checkpoint, KeepsTheLastAndTheBestAndPointsAtTheNewest) {
  const test::TempFolder folder;
  const Retention retention{.keep_last = 2, .keep_best = 1};
  const double losses[] = {0.5, 0.2, 0.4, 0.3, 0.6};
  for (int64_t step = 1; step <= 5; ++step)
    ASSERT_TRUE(
        save(options_for(folder.path(), 1, retention), snapshot_of(step, {{"val_loss", losses[step - 1]}}))
            .status);

  std::vector<int64_t> steps;
  for (const auto& entry : contract::list_checkpoints(folder.path())) steps.push_back(entry.step);
  EXPECT_EQ(steps, (std::vector<int64_t>{2, 4, 5}));
  EXPECT_EQ(*files::read(folder / "latest"), "step-00000005\n");
}

/// A snapshot with a frozen tensor that is larger than the rest.
Snapshot snapshot_with_frozen(int64_t step, float value) {
  Snapshot s = snapshot_of(step);
  s.frozen = {{"param/frozen", at::full({10'000}, value)}};
  return s;
}

TEST(Checkpoint, StoresFrozenTensorsOnceForAllLaunches) {
  const test::TempFolder folder;
  const Retention one{.keep_last = 1, .keep_best = 0};
  const SaveResult first = save(options_for(folder.path(), 1, one), snapshot_with_frozen(1, 3));
  const SaveResult second = save(options_for(folder.path(), 2, one), snapshot_with_frozen(2, 3));
  ASSERT_TRUE(first.status && second.status);

  EXPECT_EQ(second.removed_steps, std::vector<int64_t>{1});
  EXPECT_GT(first.bytes, 40'000U);
  EXPECT_LT(second.bytes, 10'000U);
  const auto found = open_newest(folder.path());
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/frozen"), at::full({10'000}, 3.0F)));
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/w"), snapshot_of(2).tensors[0].value));
}

TEST(Checkpoint, GivesChangedFrozenTensorsAFileOfTheirOwn) {
  const test::TempFolder folder;
  const Retention all{.keep_last = 9};
  for (const int64_t step : {1, 2, 3})
    ASSERT_TRUE(
        save(options_for(folder.path(), 1, all), snapshot_with_frozen(step, step == 2 ? 5 : 3)).status);

  EXPECT_EQ(fs::hard_link_count(folder / "step-00000001/frozen.safetensors"), 2U);
  EXPECT_TRUE(fs::equivalent(folder / "step-00000001/frozen.safetensors",
                             folder / "step-00000003/frozen.safetensors"));
  const auto changed = Reader::open(folder / "step-00000002");
  ASSERT_TRUE(changed) << changed.error().text();
  EXPECT_TRUE(at::equal(*changed->tensor("param/frozen"), at::full({10'000}, 5.0F)));
}

TEST(Checkpoint, DoesNotShareAFrozenFileThatRotted) {
  const test::TempFolder folder;
  ASSERT_TRUE(save(options_for(folder.path()), snapshot_with_frozen(1, 3)).status);
  damage(folder / "step-00000001/frozen.safetensors");

  const SaveResult second = save(options_for(folder.path()), snapshot_with_frozen(2, 3));

  ASSERT_TRUE(second.status) << second.status.error().text();
  const auto found = open_newest(folder.path());
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->reader.manifest().step, 2);
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/frozen"), at::full({10'000}, 3.0F)));
}

TEST(Checkpoint, ReassemblesATensorFromSeveralFiles) {
  // As two ranks would write it: no writer of ours does yet.
  const test::TempFolder folder;
  const fs::path checkpoint = folder / "step-00000001";
  fs::create_directories(checkpoint);
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  contract::Manifest manifest;
  manifest.step = 1;
  manifest.world_size = 2;
  manifest.tensors = {{"param/w", "F32", {2, 3}, {{0, "param/w", 0, 4}, {1, "param/w", 4, 6}}}};
  const auto write = [&](const std::string& name, size_t begin, size_t count) {
    const auto bytes = std::as_bytes(std::span(values).subspan(begin, count));
    const weights::TensorEntry entry{"param/w", weights::DType::F32, {static_cast<int64_t>(count)}, bytes};
    const auto file = weights::write_summed_safetensors(checkpoint / name, std::span(&entry, 1));
    ASSERT_TRUE(file);
    manifest.files.push_back({name, file->size_bytes, file->xxh128});
  };
  write("rank-00000.safetensors", 0, 4);
  write("rank-00001.safetensors", 4, 2);
  ASSERT_TRUE(files::write_atomic(checkpoint / "manifest.json", contract::to_json(manifest)));

  const auto reader = Reader::open(checkpoint);

  ASSERT_TRUE(reader) << reader.error().text();
  EXPECT_TRUE(at::equal(*reader->tensor("param/w"), at::arange(6, at::kFloat).view({2, 3})));
}

}  // namespace
}  // namespace zt::checkpoint
