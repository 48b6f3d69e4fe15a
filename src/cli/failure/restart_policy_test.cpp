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
RankFailure failed(int code, std::string words) { return {0, {code, 0}, std::move(words), "after step 7"}; }

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
