// SPDX-License-Identifier: Apache-2.0
#include "train/journal/silence.hpp"

#include <gtest/gtest.h>

namespace zt::train {
namespace {

using contract::Activity;
using contract::Phase;
using contract::Progress;

Progress action(Activity activity, const char* unit = "") {
  Progress words;
  words.phase = Phase::Training;
  words.activity = activity;
  words.unit = unit;
  return words;
}

Silence judged() {
  Silence silence;
  silence.set_limits({.shortest_s = 5, .unknown_s = 1800});
  return silence;
}

TEST(Silence, IsNotJudgedWithoutLimitsOrOnceAllIsDone) {
  Progress finished;
  finished.phase = Phase::Finished;

  EXPECT_EQ(Silence().limit_s(action(Activity::Forward)), 0);
  EXPECT_EQ(judged().limit_s(finished), 0);
}

TEST(Silence, MayLastThreeTimesTheMedianOfTheActionOnceItIsKnown) {
  Silence silence = judged();
  for (const double seconds : {900.0, 4.0, 4.0, 6.0}) silence.took(action(Activity::Forward), seconds);
  EXPECT_EQ(silence.limit_s(action(Activity::Forward)), 120);  // the first step warmed up

  silence.took(action(Activity::Forward), 4);

  EXPECT_EQ(silence.limit_s(action(Activity::Forward)), 12);
  EXPECT_EQ(silence.limit_s(action(Activity::Backward)), 120);
  EXPECT_EQ(silence.limit_s(action(Activity::Data)), 1800) << "disks";
  for (int i = 0; i < 15; ++i) silence.took(action(Activity::Forward), 10);
  EXPECT_EQ(silence.limit_s(action(Activity::Forward)), 30);  // the median of the newest 15
}

TEST(Silence, HasAFloorThatIsHigherForWhatWaitsForSamples) {
  Silence silence = judged();
  for (int i = 0; i < 5; ++i) {
    silence.took(action(Activity::Optimizer), 0.01);
    silence.took(action(Activity::Data), 0.01);
  }

  EXPECT_EQ(silence.limit_s(action(Activity::Optimizer)), 5);
  EXPECT_EQ(silence.limit_s(action(Activity::Data)), 60);
}

TEST(Silence, OutsideOfStepsHasNoUsualTime) {
  Silence silence = judged();
  Progress saving;
  saving.phase = Phase::Saving;
  for (int i = 0; i < 5; ++i) silence.took(saving, 0.01);

  EXPECT_EQ(silence.limit_s(saving), 1800);
}

TEST(Silence, IsKnownForEveryExchangeByItself) {
  Silence silence = judged();
  for (int i = 0; i < 5; ++i) silence.took(action(Activity::Exchange, "large"), 40);

  EXPECT_EQ(silence.limit_s(action(Activity::Exchange, "large")), 120);
  EXPECT_EQ(silence.limit_s(action(Activity::Exchange, "small")), 1800);
}

}  // namespace
}  // namespace zt::train
