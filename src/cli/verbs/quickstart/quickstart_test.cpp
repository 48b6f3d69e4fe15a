// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/quickstart/quickstart.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

TEST(Quickstart, ASlowMachineTrainsForLessSoThatTheWholeTakesNoLonger) {
  constexpr double kCap_s = 465, kStage2_s = 80, kRestPerData = 1.3;
  for (const double data_s : {10.0, 22.0, 44.0, 88.0}) {
    const double whole_s = data_s + stage1_cap(kCap_s, data_s) + kStage2_s + kRestPerData * data_s;
    EXPECT_LE(whole_s, 600) << data_s;
  }
  EXPECT_EQ(stage1_cap(kCap_s, 10), kCap_s) << "a fast machine";
  EXPECT_EQ(stage1_cap(kCap_s, 1000), kCap_s / 2) << "less teaches nothing";
  EXPECT_EQ(stage1_cap(0, 1000), 0) << "a recipe without a cap";
}

TEST(Quickstart, SaysOfARunThatItsTimeCapEndedThatAnotherCapDoesNotMakeItGoOn) {
  const test::TempFolder runs;
  const auto run = contract::RunFolder::create({.runs_folder = runs.path(), .name = "a"}).value();
  config::TrainJob own;
  own.max_train_steps = 1350;
  own.time_cap_s = 0.5;

  const std::string cut = complete_text(run, own, 484, 465);

  EXPECT_THAT(cut, testing::HasSubstr("its time cap of 500 ms ended it at step 484 of 1350"));
  EXPECT_THAT(cut, testing::HasSubstr("To train it anew, remove " + run.path().string()));
  EXPECT_THAT(complete_text(run, own, 484, 0.5), testing::EndsWith("is complete already")) << "the same cap";
  EXPECT_THAT(complete_text(run, own, 1350, 465), testing::EndsWith("is complete already")) << "all steps";
}

}  // namespace
}  // namespace zt::cli
