// SPDX-License-Identifier: Apache-2.0
#include "cli/failure/restart_policy.hpp"

#include <gtest/gtest.h>
#include <signal.h>

namespace zt::cli {
namespace {

using namespace std::chrono_literals;

const RestartPolicy::Time kStart{};

RankFailure killed(int rank, int step) {
  return {rank, {-1, SIGKILL}, "", "after step " + std::to_string(step)};
}
RankFailure failed(int code, std::string message) {
  return {0, {code, 0}, std::move(message), "after step 7"};
}

TEST(RestartPolicy, SignalsAndErrorsOfTheWorkersRowAreWorthIt) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT, SIGBUS})
    EXPECT_TRUE(is_worth_a_restart({-1, signal})) << signal;
  // Exit codes of docs/errors.md: Timeout, Corrupt, PeerLost, Internal; 1 is a failure without a code.
  for (const int code : {71, 65, 76, 70, 1}) EXPECT_TRUE(is_worth_a_restart({code, 0})) << code;
  // Configuration, NotFound, Exhausted, Numeric, Permission, Unavailable, and a second Ctrl-C.
  for (const int code : {2, 66, 72, 74, 77, 69, 130}) EXPECT_FALSE(is_worth_a_restart({code, 0})) << code;
}

TEST(RestartPolicy, GrantsWhatTheBudgetAllowsAndThenSaysSo) {
  RestartPolicy policy({.max_restarts = 2, .window = 60min});

  EXPECT_TRUE(policy.decide({killed(0, 1)}, kStart).restarts);
  EXPECT_TRUE(policy.decide({killed(0, 2)}, kStart + 1min).restarts);
  const RestartDecision third = policy.decide({killed(0, 3)}, kStart + 2min);

  EXPECT_FALSE(third.restarts);
  EXPECT_NE(third.reason.find("2 restarts within 60 minutes"), std::string::npos) << third.reason;
}

TEST(RestartPolicy, BudgetComesBackWithTime) {
  RestartPolicy policy({.max_restarts = 1, .window = 60min});
  EXPECT_TRUE(policy.decide({killed(0, 1)}, kStart).restarts);

  EXPECT_FALSE(policy.decide({killed(0, 2)}, kStart + 59min).restarts);
  EXPECT_TRUE(policy.decide({killed(0, 3)}, kStart + 60min).restarts);
}

TEST(RestartPolicy, RanksThatDieTogetherAreOneRestart) {
  RestartPolicy policy({.max_restarts = 1});

  EXPECT_TRUE(policy.decide({killed(0, 1), killed(1, 1)}, kStart).restarts);
  EXPECT_EQ(policy.used(), 1);
}

TEST(RestartPolicy, SameEndAtTheSameStepTwiceIsTheLast) {
  RestartPolicy policy({.max_restarts = 9});
  EXPECT_TRUE(policy.decide({killed(1, 5)}, kStart).restarts);
  EXPECT_TRUE(policy.decide({killed(1, 6)}, kStart).restarts) << "another step";
  EXPECT_TRUE(policy.decide({killed(0, 5)}, kStart).restarts) << "another rank";
  EXPECT_TRUE(policy.decide({{1, {-1, SIGSEGV}, "", "after step 5"}}, kStart).restarts) << "another signal";

  const RestartDecision again = policy.decide({killed(1, 5)}, kStart);

  EXPECT_FALSE(again.restarts);
  EXPECT_EQ(again.reason,
            "rank 1 has ended by signal 9 (Killed) after step 5 for the second time: it would again");
}

RankFailure crashed(int rank, int step, std::set<contract::SampleInHand> samples) {
  RankFailure failure = killed(rank, step);
  failure.exit.signal = SIGSEGV;
  failure.samples = std::move(samples);
  return failure;
}

TEST(RestartPolicy, SameEndAfterTheRunHasComeFurtherIsNotTheSecond) {
  RestartPolicy policy({.max_restarts = 9});
  const RankFailure loading{1, {-1, SIGKILL}, "", "while loading"};
  RankFailure later = killed(0, 7);
  later.step = 7;

  EXPECT_TRUE(policy.decide({loading}, kStart).restarts);
  EXPECT_TRUE(policy.decide({later}, kStart + 1min).restarts);
  EXPECT_TRUE(policy.decide({loading}, kStart + 2min).restarts);
  EXPECT_FALSE(policy.decide({loading}, kStart + 3min).restarts) << "no further since";
}

TEST(RestartPolicy, SamplesInHandAtTwoCrashesAreDeadly) {
  RestartPolicy policy({.max_restarts = 9});
  EXPECT_TRUE(policy.decide({crashed(1, 5, {{10, 3}, {11, 4}})}, kStart).deadly.empty());

  const RestartDecision second = policy.decide({crashed(1, 5, {{11, 4}, {12, 0}})}, kStart);

  EXPECT_TRUE(second.restarts) << "the same end at the same step, but now something is done about it";
  ASSERT_EQ(second.deadly.size(), 1u);
  EXPECT_EQ(second.deadly[0].samples, (std::set<contract::SampleInHand>{{11, 4}}));
  EXPECT_EQ(second.deadly[0].second.rank, 1);

  const RestartDecision third = policy.decide({crashed(1, 5, {{11, 2}, {12, 5}})}, kStart);
  EXPECT_FALSE(third.restarts) << "other clips, the same end";
  EXPECT_NE(third.reason.find("leaving out clips did not help"), std::string::npos) << third.reason;
}

TEST(RestartPolicy, ASampleThatAThreadReadsAheadCountsAtAnyStep) {
  RestartPolicy policy({.max_restarts = 9});
  EXPECT_TRUE(policy.decide({crashed(0, 5, {{20, 7}})}, kStart).deadly.empty());

  EXPECT_EQ(policy.decide({crashed(0, 6, {{20, 7}, {21, 1}})}, kStart).deadly.size(), 1u);
}

TEST(RestartPolicy, WhatIsReadIsSuspectedBeforeWhatIsTrainedOn) {
  RestartPolicy policy({.max_restarts = 9});
  const RankFailure crash = crashed(0, 5, {{8, 2, true}, {9, 1, true}, {12, 7}});
  EXPECT_TRUE(policy.decide({crash}, kStart).deadly.empty());

  EXPECT_EQ(policy.decide({crash}, kStart).deadly.at(0).samples, (std::set<contract::SampleInHand>{{12, 7}}));

  const RankFailure again = crashed(0, 5, {{8, 2, true}, {9, 1, true}, {12, 3}});
  EXPECT_EQ(policy.decide({again}, kStart).deadly.at(0).samples,
            (std::set<contract::SampleInHand>{{8, 2, true}, {9, 1, true}}));
}

TEST(RestartPolicy, WhatKilledTheRankFromOutsideSaysNothingOfItsSamples) {
  RestartPolicy policy({.max_restarts = 9});
  RankFailure failure = killed(1, 5);
  failure.samples = {{10, 3}};
  EXPECT_TRUE(policy.decide({failure}, kStart).deadly.empty());
  failure.position = "after step 6";
  EXPECT_TRUE(policy.decide({failure}, kStart).deadly.empty());

  failure.has_hung = true;
  EXPECT_TRUE(policy.decide({failure}, kStart).deadly.empty()) << "for the first time";
  failure.position = "after step 7";
  EXPECT_EQ(policy.decide({failure}, kStart).deadly.size(), 1u);
}

TEST(RestartPolicy, ASampleOfAnotherRankOrAnotherSampleOfTheClipIsNoProof) {
  RestartPolicy policy({.max_restarts = 9, .window = 60min});
  EXPECT_TRUE(policy.decide({crashed(0, 5, {{10, 3}})}, kStart).deadly.empty());
  EXPECT_TRUE(policy.decide({crashed(1, 5, {{10, 3}})}, kStart).deadly.empty());
  EXPECT_TRUE(policy.decide({crashed(0, 9, {{30, 3}})}, kStart).deadly.empty());
  EXPECT_TRUE(policy.decide({crashed(0, 10, {{10, 3}})}, kStart + 60min).deadly.empty()) << "long after";
}

TEST(RestartPolicy, SameEndLongAfterIsNotTheSecond) {
  RestartPolicy policy({.max_restarts = 9, .window = 60min});
  const RankFailure loading{1, {-1, SIGKILL}, "", "while loading"};
  EXPECT_TRUE(policy.decide({loading}, kStart).restarts);

  EXPECT_TRUE(policy.decide({loading}, kStart + 60min).restarts);
  EXPECT_FALSE(policy.decide({loading}, kStart + 119min).restarts);
}

TEST(RestartPolicy, NumbersInAnErrorMakeNoOtherError) {
  RestartPolicy policy({.max_restarts = 9});
  EXPECT_TRUE(policy.decide({failed(70, "bad index 17 of 20")}, kStart).restarts);
  EXPECT_TRUE(policy.decide({failed(70, "bad sum")}, kStart).restarts) << "other words";

  EXPECT_FALSE(policy.decide({failed(70, "bad index 3 of 20")}, kStart).restarts);
}

TEST(RestartPolicy, HostThatHadServedIsTriedMoreAndMoreSlowly) {
  RestartPolicy policy({.max_restarts = 5, .window = 60min});
  const RankFailure lost{2, {69, 0}, "the agent on b ended", "while loading", /*is_host_lost=*/true};
  RankFailure never_there = lost;
  never_there.is_host_lost = false;

  EXPECT_FALSE(policy.decide({never_there}, kStart).restarts);
  for (const auto delay : {0s, 10s, 60s, 120s, 120s}) {
    const RestartDecision decision = policy.decide({lost}, kStart);
    EXPECT_TRUE(decision.restarts);
    EXPECT_EQ(decision.host_delay, delay);
  }
  EXPECT_FALSE(policy.decide({lost}, kStart).restarts) << "the budget";
  EXPECT_EQ(policy.decide({lost}, kStart + 60min).host_delay, 0s);
}

TEST(RestartPolicy, OneThatIsNotWorthItEndsAll) {
  RestartPolicy policy({.max_restarts = 9});

  const RestartDecision decision = policy.decide({killed(1, 5), failed(72, "no memory")}, kStart);

  EXPECT_FALSE(decision.restarts);
  EXPECT_EQ(decision.reason, "") << "the error itself says what to do";
}

TEST(RestartPolicy, BudgetOfNoneNeverRestarts) {
  RestartPolicy policy({.max_restarts = 0});

  EXPECT_FALSE(policy.decide({killed(1, 5)}, kStart).restarts);
}

}  // namespace
}  // namespace zt::cli
