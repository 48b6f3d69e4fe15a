// SPDX-License-Identifier: Apache-2.0
#include "train/state/numeric_guard.hpp"

#include <gtest/gtest.h>

#include <set>

namespace zt::train {
namespace {

using Next = NumericJudgement::Next;
using Cause = NumericJudgement::Cause;
using Clips = std::vector<int64_t>;

constexpr bool kSkipped = true, kFine = false;

/// Three steps in a row, from 11 to 13, are skipped without a sample to blame.
NumericGuard rolled_back(ClipFaults& clips) {
  NumericGuard guard(3);
  EXPECT_EQ(guard.judge({10, kFine, {}}, clips).next, Next::GoOn);
  EXPECT_EQ(guard.judge({11, kSkipped, {}}, clips).next, Next::GoOn);
  EXPECT_EQ(guard.judge({12, kSkipped, {}}, clips).next, Next::GoOn);
  EXPECT_EQ(guard.judge({13, kSkipped, {}}, clips).next, Next::RollBack);
  return guard;
}

TEST(NumericGuard, LetsSingleSkippedStepsPass) {
  ClipFaults clips;
  NumericGuard guard(3);
  for (int64_t step = 1; step < 100; ++step) {
    const NumericJudgement judgement = guard.judge({step, step % 3 != 0, {}}, clips);
    EXPECT_EQ(judgement.next, Next::GoOn);
    EXPECT_EQ(judgement.cause, Cause::None);
  }
}

TEST(NumericGuard, BlamesTheHardwareIfTheSameStepsSucceedTheSecondTime) {
  ClipFaults clips;
  NumericGuard guard = rolled_back(clips);
  EXPECT_EQ(guard.judge({10, kFine, {}}, clips).cause, Cause::None);
  EXPECT_EQ(guard.judge({11, kFine, {}}, clips).cause, Cause::None);
  EXPECT_EQ(guard.judge({12, kFine, {}}, clips).cause, Cause::None);

  const NumericJudgement last = guard.judge({13, kFine, {}}, clips);

  EXPECT_EQ(last.cause, Cause::Hardware);
  EXPECT_EQ(last.next, Next::GoOn);
}

// A fault in the midst of a step leaves some of its samples finite.
TEST(NumericGuard, ClipsOfStepsThatSucceedTheSecondTimeAreNoSuspects) {
  ClipFaults clips;
  clips.suspects = {7};  // of an earlier step
  NumericGuard guard(2);
  guard.judge({11, kSkipped, {3}}, clips);
  EXPECT_EQ(guard.judge({12, kSkipped, {4, 5}, /*are_all_bad=*/true}, clips).next, Next::RollBack);
  EXPECT_EQ(clips.suspects, (std::set<int64_t>{3, 7}));

  guard.judge({11, kFine, {}}, clips);
  EXPECT_EQ(guard.judge({12, kFine, {}}, clips).cause, Cause::Hardware);

  EXPECT_EQ(clips.suspects, std::set<int64_t>{7});
}

TEST(NumericGuard, BlamesTheModelAndFailsIfTheSameStepsFailAgainWithoutABadSample) {
  ClipFaults clips;
  NumericGuard guard = rolled_back(clips);
  for (const int64_t step : {11, 12}) EXPECT_EQ(guard.judge({step, kSkipped, {}}, clips).next, Next::GoOn);

  const NumericJudgement last = guard.judge({13, kSkipped, {}}, clips);

  EXPECT_EQ(last.cause, Cause::Model);
  EXPECT_EQ(last.next, Next::Fail);
}

TEST(NumericGuard, LeavesOutTheClipsOfStepsThatFailTwice) {
  ClipFaults clips;
  NumericGuard guard(2);
  EXPECT_EQ(guard.judge({11, kSkipped, {5}}, clips).left_out, Clips{});
  EXPECT_EQ(guard.judge({12, kSkipped, {6}}, clips).next, Next::RollBack);

  const NumericJudgement first = guard.judge({11, kSkipped, {5}}, clips);
  const NumericJudgement second = guard.judge({12, kSkipped, {6}}, clips);

  EXPECT_EQ(first.left_out, Clips{5});
  EXPECT_EQ(second.left_out, Clips{6});
  EXPECT_EQ(second.cause, Cause::Data);
  EXPECT_EQ(second.next, Next::GoOn);
  EXPECT_EQ(clips.left_out, (std::set<int64_t>{5, 6}));
}

TEST(NumericGuard, LeavesOutAClipThatComesRoundAgainWithoutGoingBack) {
  ClipFaults clips;
  NumericGuard guard(3);
  guard.judge({11, kSkipped, {5, 5}}, clips);
  EXPECT_EQ(clips.suspects, std::set<int64_t>{5});
  guard.judge({12, kFine, {}}, clips);

  const NumericJudgement judgement = guard.judge({200, kSkipped, {5}}, clips);

  EXPECT_EQ(judgement.left_out, Clips{5});
  EXPECT_EQ(judgement.cause, Cause::Data);
  EXPECT_EQ(judgement.next, Next::GoOn);
  EXPECT_TRUE(clips.suspects.empty());
}

// One sample a step: the step after it tells whether it was the clip or the model.
TEST(NumericGuard, LeavesOutAClipThatWasAloneInTwoStepsBetweenGoodOnes) {
  constexpr bool kAllBad = true;
  ClipFaults clips;
  NumericGuard guard(3);
  EXPECT_EQ(guard.judge({11, kSkipped, {5}, kAllBad}, clips).left_out, Clips{});
  guard.judge({12, kFine, {}}, clips);
  EXPECT_EQ(clips.suspects, std::set<int64_t>{5});
  guard.judge({20, kSkipped, {5}, kAllBad}, clips);

  EXPECT_EQ(guard.judge({21, kFine, {}}, clips).left_out, Clips{5});
}

TEST(NumericGuard, BlamesTheModelAndNoClipWhereAllSamplesOfARowAreBad) {
  constexpr bool kAllBad = true;
  ClipFaults clips;
  NumericGuard guard(2);
  guard.judge({11, kSkipped, {5}, kAllBad}, clips);
  EXPECT_EQ(guard.judge({12, kSkipped, {6}, kAllBad}, clips).next, Next::RollBack);
  guard.judge({11, kSkipped, {5}, kAllBad}, clips);

  EXPECT_EQ(guard.judge({12, kSkipped, {6}, kAllBad}, clips).cause, Cause::Model);
  EXPECT_TRUE(clips.suspects.empty());
}

TEST(NumericGuard, GoesBackAgainForALaterRow) {
  ClipFaults clips;
  NumericGuard guard = rolled_back(clips);
  for (const int64_t step : {11, 12, 13}) guard.judge({step, kFine, {}}, clips);

  for (const int64_t step : {14, 15}) EXPECT_EQ(guard.judge({step, kSkipped, {}}, clips).next, Next::GoOn);
  EXPECT_EQ(guard.judge({16, kSkipped, {}}, clips).next, Next::RollBack);
}

}  // namespace
}  // namespace zt::train
