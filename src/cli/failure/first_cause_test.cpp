// SPDX-License-Identifier: Apache-2.0
#include "cli/failure/first_cause.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace zt::cli {
namespace {

TEST(FirstCause, SaysWhoWhereWhatAndWhatToDoInOneLine) {
  FirstCause cause{
      3, "b", {72, 0}, contract::Progress{}, "no memory left for unit.7", "runs/r/attempts/1/rank-00003.log"};
  cause.progress->step = 12;
  cause.progress->phase = contract::Phase::Training;
  cause.progress->activity = contract::Activity::Backward;
  cause.progress->unit = "unit.7";

  EXPECT_EQ(
      text(cause),
      "rank 3 on b failed first, after step 12, training (backward unit.7): no memory left for unit.7; "
      "its log is runs/r/attempts/1/rank-00003.log; Not enough memory or disk space. The message says how "
      "much is needed and what to change.");
}

TEST(FirstCause, ASignalSpeaksForARankThatHadNoTime) {
  const FirstCause cause{1, "a", {-1, SIGKILL}, {}, "", "log"};

  EXPECT_EQ(
      text(cause),
      "rank 1 on a failed first: it ended by signal 9 (Killed), most often sent by the kernel for lack of "
      "memory; its log is log; `zoetrope train --resume` goes on from the last checkpoint.");
}

TEST(FirstCause, OfTheOnlyWorkerNamesNoRank) {
  FirstCause cause{.exit = {-1, SIGKILL}, .progress = contract::Progress{}, .log = "log", .is_alone = true};
  cause.progress->step = 12;
  cause.progress->phase = contract::Phase::Training;

  EXPECT_EQ(
      text(cause),
      "the worker failed, after step 12, training: it ended by signal 9 (Killed), most often sent by the "
      "kernel for lack of memory; its log is log");
}

TEST(FirstCause, AStrangeExitCodeIsACrash) {
  const FirstCause cause{0, "a", {3, 0}, {}, "", "log"};

  EXPECT_EQ(
      text(cause),
      "rank 0 on a failed first: it ended with exit code 3; its log is log; `zoetrope train --resume` goes "
      "on from the last checkpoint.");
}

}  // namespace
}  // namespace zt::cli
