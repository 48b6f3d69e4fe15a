// SPDX-License-Identifier: Apache-2.0
#include "cli/output/output.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "base/error_policy.hpp"
#include "cli/output/progress_text.hpp"

namespace zt::cli {
namespace {

using contract::Phase;
using contract::Progress;

Progress training(int64_t step, int64_t total) {
  Progress p;
  p.phase = Phase::Training;
  p.step = step;
  p.total_steps = total;
  p.loss = std::numeric_limits<double>::quiet_NaN();
  p.eta_s = std::numeric_limits<double>::quiet_NaN();
  return p;
}

TEST(Table, ColumnsAreAlignedAndLinesEndWithoutSpaces) {
  Table table({{"NAME"}, {"STEP", Table::Align::Right}, {"NOTE"}});
  table.add({"a", "5", "x"});
  table.add({"longer", "1200", ""});

  EXPECT_EQ(table.text(0),
            "NAME    STEP  NOTE\n"
            "a          5  x\n"
            "longer  1200\n");
}

TEST(Table, IsCutToTheTerminal) {
  Table table({{"NAME"}});
  table.add({"abcdefgh"});

  EXPECT_EQ(table.text(5), "NAME\nabcde\n");
}

TEST(ProgressText, UnknownPartsAreLeftOut) {
  Progress p;
  p.phase = Phase::Loading;
  p.loss = p.eta_s = std::numeric_limits<double>::quiet_NaN();

  EXPECT_EQ(progress_text(p, 80), "loading");
  p.action = "reference_unet";
  EXPECT_EQ(progress_text(p, 80), "loading  reference_unet");
}

std::string printed(ErrorCode code) {
  ::testing::internal::CaptureStderr();
  print_error({code, "there is no x"});
  return ::testing::internal::GetCapturedStderr();
}

TEST(PrintError, HintsOnlyWhereTheMessageHasNoAdvice) {
  EXPECT_EQ(printed(ErrorCode::NotFound), "zoetrope: error: there is no x\n");
  EXPECT_EQ(printed(ErrorCode::Permission), "zoetrope: error: there is no x\nhint: " +
                                                std::string(policy(ErrorCode::Permission).operator_text) +
                                                "\n");
}

// Its row's advice, to go on with --resume, is about runs; a dry run has neither.
TEST(PrintError, WhatWasGivenUpOnRequestHasNoHint) {
  EXPECT_EQ(printed(ErrorCode::Cancelled), "zoetrope: error: there is no x\n");
}

TEST(ProgressText, BarTakesTheRoomThatIsLeft) {
  // 8 (head) + 1 + bar + 7 (tail) <= 35 - 1
  EXPECT_EQ(progress_text(training(50, 100), 35), "training [########........] 50/100");
}

TEST(ProgressText, NarrowTerminalsGetNoBar) {
  EXPECT_EQ(progress_text(training(50, 100), 24), "training 50/100");
}

TEST(ProgressText, EverythingKnownIsShown) {
  Progress p = training(120, 400);
  p.loss = 0.12344;
  p.samples_per_s = 15.23;
  p.eta_s = 190;

  EXPECT_EQ(progress_text(p, 20), "training 120/400  loss 0.1234  15.2/s  3 min 10 s left");
}

TEST(ProgressText, APaceThatIsNoMoreIsNotShown) {
  Progress p = training(120, 400);
  p.samples_per_s = 15.23;
  p.eta_s = 190;
  p.limit_s = 6;
  EXPECT_EQ(progress_text(p, 20, /*silent_s=*/6), "training 120/400  15.2/s  3 min 10 s left");
  EXPECT_EQ(progress_text(p, 20, /*silent_s=*/40), "training 120/400  no word for 40.0 s");
  p.limit_s = 0;
  EXPECT_EQ(progress_text(p, 20, /*silent_s=*/29), "training 120/400  15.2/s  3 min 10 s left");
}

}  // namespace
}  // namespace zt::cli
