// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/retention.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::checkpoint {
namespace {

namespace fs = std::filesystem;
using contract::CheckpointEntry;
using Steps = std::vector<int64_t>;

CheckpointEntry entry(int64_t step, double val_loss = std::numeric_limits<double>::quiet_NaN(),
                      int64_t generation = 1) {
  CheckpointEntry e;
  e.step = step;
  e.generation = generation;
  e.metrics["val_loss"] = val_loss;
  return e;
}

CheckpointEntry defective(int64_t step) {
  CheckpointEntry e = entry(step, 0.0, 0);
  e.defect = Error{ErrorCode::Corrupt, "torn"};
  return e;
}

Steps steps_of(const std::vector<CheckpointEntry>& entries) {
  Steps steps;
  for (const auto& e : entries) steps.push_back(e.step);
  return steps;
}

TEST(Retention, KeepsTheLastAndTheBest) {
  const std::vector<CheckpointEntry> entries = {entry(1, 0.3), entry(2, 0.1), entry(3, 0.2), entry(4),
                                                entry(5)};

  EXPECT_EQ(steps_of(expendable(entries, {.keep_last = 2, .keep_best = 1}, 5)), (Steps{1, 3}));
  EXPECT_EQ(steps_of(expendable(entries, {.keep_last = 1, .keep_best = 0}, 5)), (Steps{1, 2, 3, 4}));
  EXPECT_EQ(steps_of(expendable(entries, {.keep_last = 9, .keep_best = 0}, 5)), (Steps{}));
}

TEST(Retention, KeepsTheNewestThatEndEpochs) {
  std::vector<CheckpointEntry> entries = {entry(1), entry(2), entry(3), entry(4), entry(5)};
  for (const size_t i : {0U, 1U, 2U}) entries[i].metrics[contract::kEpoch] = static_cast<double>(i + 1);

  EXPECT_EQ(steps_of(expendable(entries, {.keep_last = 1, .keep_best = 0, .keep_epochs = 2}, 5)),
            (Steps{1, 4}));
}

TEST(Retention, KeepsAtLeastTheNewest) {
  EXPECT_EQ(steps_of(expendable({entry(1), entry(2)}, {.keep_last = 0, .keep_best = 0}, 2)), (Steps{1}));
}

TEST(Retention, NeverRemovesTheVerifiedOne) {
  EXPECT_EQ(steps_of(expendable({entry(1), entry(2), entry(3)}, {.keep_last = 1, .keep_best = 0}, 1)),
            (Steps{2}));
}

TEST(Retention, LeavesDefectiveOnesToAPerson) {
  EXPECT_EQ(steps_of(expendable({defective(1), entry(2), entry(3)}, {.keep_last = 1, .keep_best = 0}, 3)),
            (Steps{2}));
}

TEST(Retention, OrdersByLaunchThenStep) {
  EXPECT_EQ(steps_of(newest_first({entry(5, 1, 1), entry(10, 1, 1), entry(6, 1, 2)})), (Steps{6, 10, 5}));
}

TEST(Retention, OfEquallyGoodOnesTheNewestIsBest) {
  EXPECT_EQ(steps_of(best_first({entry(1, 0.2), entry(2, 0.1), entry(3, 0.1), entry(4), defective(5)})),
            (Steps{3, 2, 1}));
}

TEST(Retention, RemovesWhatCrashesLeftAndNothingElse) {
  const test::TempFolder folder;
  const fs::path killed = folder / "step-00000003.zt-tmp.0123456789abcdef";
  for (const fs::path& name : {folder / "step-00000001", folder / "step-00000002", killed, folder / "notes"})
    fs::create_directories(name);
  ASSERT_TRUE(files::write_atomic(killed / "lock", ""));
  ASSERT_TRUE(files::write_atomic(folder / "step-00000001/manifest.json", "damaged, but a manifest"));
  ASSERT_TRUE(files::write_atomic(folder / "step-00000002/rank-00000.safetensors", "half removed"));
  ASSERT_TRUE(files::write_atomic(folder / "latest.zt-tmp.0123456789abcdef", "half written"));

  const auto held = files::Temporary::folder(folder / "step-00000004");
  ASSERT_TRUE(held);

  contract::CheckpointFolder checkpoints(folder.path());
  ASSERT_TRUE(remove_leftovers(checkpoints));

  EXPECT_TRUE(fs::exists(folder / "step-00000001"));
  EXPECT_TRUE(fs::exists(folder / "notes"));
  EXPECT_FALSE(fs::exists(folder / "step-00000002"));
  EXPECT_FALSE(fs::exists(killed));
  EXPECT_TRUE(fs::exists(held->path())) << "another launch is writing it";
  EXPECT_FALSE(fs::exists(folder / "latest.zt-tmp.0123456789abcdef"));
}

}  // namespace
}  // namespace zt::checkpoint
