// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks/recovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error_policy.hpp"
#include "base/signals.hpp"
#include "cli/ranks/rank_group.hpp"
#include "cli/ranks/worker_session.hpp"
#include "contract/run_folder.hpp"
#include "contract/words/progress.hpp"
#include "rendezvous/server.hpp"
#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kRanks = 2;
constexpr int64_t kMaxRestarts = 5;

/// Ranks whose ends the test tells.
class ToldGroup : public RankGroup {
 public:
  ToldGroup() : RankGroup(kRanks) {}
  void send(int signal) override { sent.push_back(signal); }
  Status look(std::chrono::milliseconds /*moment*/) override { return {}; }
  void kill(size_t rank, int signal = SIGKILL) { note_end(rank, {.exit = {.code = -1, .signal = signal}}); }
  void leave(size_t rank, int code) { note_end(rank, {.exit = {.code = code}}); }
  void lose(size_t rank) {
    note_end(rank, {{.code = 69, .signal = 0}, "no route to host", /*is_host_lost=*/true});
  }

  std::vector<std::pair<size_t, int64_t>> started;  ///< rank and attempt
  std::vector<int> sent;                            ///< signals to all

 private:
  Status spawn(size_t rank, int64_t generation, int64_t /*number*/) override {
    started.emplace_back(rank, generation);
    return {};
  }
};

/// Two ranks on this host, with a store, a run folder and pages that the test writes.
class RecoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto run = contract::RunFolder::create({.runs_folder = folder_.path(), .name = "r"});
    ASSERT_TRUE(run) << run.error().text();
    auto server = rendezvous::Server::start({.token = "t"});
    ASSERT_TRUE(server) << server.error().text();
    server_ = std::move(*server);
    const auto attempt = run->begin_attempt();
    ASSERT_TRUE(attempt) << attempt.error().text();
    first_attempt_ = attempt->generation;
    session_.call.generation = first_attempt_;
    session_.call.place.ranks = kRanks;
    session_.call.progress = folder_ / "page-0";
    session_.log = folder_ / "log-0";
    session_.others.push_back({session_.call, folder_ / "log-1"});
    session_.others[0].call.place.rank = 1;
    session_.others[0].call.progress = folder_ / "page-1";
    session_.rendezvous_token = "t";
    session_.restarts = Restarts{*run, "127.0.0.1", server_->port(), kMaxRestarts};
    for (size_t rank = 0; rank < kRanks; ++rank) says(rank, first_attempt_, 5);
  }

  /// The rank trains in an attempt and has finished a step.
  void says(size_t rank, int64_t attempt, int64_t step) {
    auto page = contract::ProgressWriter::open(session_.call_of(rank).progress);
    ASSERT_TRUE(page) << page.error().text();
    contract::Progress words;
    words.generation = attempt;
    words.phase = contract::Phase::Training;
    words.step = step;
    page->publish(words);
  }

  std::string tend(Recovery& recovery) {
    const auto lines = recovery.tend(workers_);
    EXPECT_TRUE(lines) << lines.error().text();
    return lines.value_or("");
  }

  test::TempFolder folder_;
  std::unique_ptr<rendezvous::Server> server_;
  WorkerSession session_;
  ToldGroup workers_;
  int64_t first_attempt_ = 0;
};

// As a container that is stopped does: the end of one is seen before that of the other.
TEST_F(RecoveryTest, RanksThatAreKilledTogetherCostOneRestart) {
  Recovery recovery(session_);
  for (int64_t time = 1; time <= 3; ++time) {
    SCOPED_TRACE(time);
    const int64_t attempt = first_attempt_ + time;
    workers_.started.clear();

    workers_.kill(0);
    const std::string first = tend(recovery);
    workers_.kill(1);
    const std::string second = tend(recovery);

    EXPECT_THAT(first, HasSubstr("rank 0 ended by signal 9 (Killed) after step"));
    EXPECT_THAT(first, HasSubstr("(restart " + std::to_string(time) + " of"));
    EXPECT_THAT(second, HasSubstr("rank 1 too ended by signal 9 (Killed) after step"));
    EXPECT_THAT(second, Not(HasSubstr("restarting")));
    const std::vector<std::pair<size_t, int64_t>> both = {{0, attempt}, {1, attempt}};
    EXPECT_EQ(workers_.started, both);
    EXPECT_THAT(tend(recovery), IsEmpty());
    for (size_t rank = 0; rank < kRanks; ++rank) says(rank, attempt, 5 + time);
  }
}

TEST_F(RecoveryTest, ASurvivorThatIsKilledLaterBeginsALaunch) {
  Recovery recovery(session_);
  workers_.kill(0);
  tend(recovery);
  says(1, first_attempt_ + 1, 7);  // it has joined

  workers_.kill(1);
  const std::string lines = tend(recovery);

  EXPECT_THAT(lines, HasSubstr("rank 1 ended by signal 9 (Killed) after step 7\n"));
  EXPECT_THAT(lines, HasSubstr("restarting as attempt " + std::to_string(first_attempt_ + 2)));
}

TEST_F(RecoveryTest, ARankThatAnotherLauncherHasSupersededIsNotStartedAgain) {
  Recovery recovery(session_);
  workers_.kill(0);
  tend(recovery);
  workers_.started.clear();
  const int superseded = policy(ErrorCode::Superseded).exit_code;
  workers_.leave(1, superseded);  // it had no memory to live on with, and still says the attempt before
  tend(recovery);
  EXPECT_EQ(workers_.started.size(), 1U);

  for (size_t rank = 0; rank < kRanks; ++rank) says(rank, first_attempt_ + 1, 7);
  workers_.started.clear();
  workers_.leave(1, superseded);
  tend(recovery);
  EXPECT_THAT(workers_.started, IsEmpty());
}

TEST_F(RecoveryTest, OneThatWasGivenUpForALaterLaunchIsNotTheCause) {
  workers_.leave(1, policy(ErrorCode::PeerLost).exit_code);
  workers_.leave(0, policy(ErrorCode::Superseded).exit_code);
  EXPECT_EQ(workers_.end(/*saved=*/false).rank, 0);
  workers_.kill(1);
  EXPECT_EQ(workers_.end(/*saved=*/false).rank, 1);
}

// The other died at the very start, and the attempt that followed was news to this one before it had its
// page.
TEST_F(RecoveryTest, ARankThatHasSaidNothingYetIsLeftBehind) {
  Recovery recovery(session_);
  std::filesystem::remove(session_.call_of(1).progress);
  workers_.kill(0);
  tend(recovery);
  workers_.started.clear();
  workers_.leave(1, policy(ErrorCode::Superseded).exit_code);
  tend(recovery);
  const std::vector<std::pair<size_t, int64_t>> again = {{1, first_attempt_ + 1}};
  EXPECT_EQ(workers_.started, again);
}

// The first try comes at once: often only the connection broke.
TEST_F(RecoveryTest, AHostThatIsAwayIsNotTriedAgainAtOnce) {
  Recovery recovery(session_);
  workers_.lose(1);
  EXPECT_THAT(tend(recovery), HasSubstr("restarting as attempt"));
  EXPECT_THAT(workers_.started, testing::SizeIs(1));

  workers_.lose(1);
  const std::string lines = tend(recovery);

  EXPECT_THAT(lines, HasSubstr("the host is tried again in 10 s"));
  EXPECT_TRUE(recovery.awaits_hosts());
  EXPECT_THAT(tend(recovery), IsEmpty());
  EXPECT_THAT(workers_.started, testing::SizeIs(1));
  workers_.kill(0);  // meanwhile: that one is started
  tend(recovery);
  const std::pair<size_t, int64_t> last = {0, first_attempt_ + 2};
  EXPECT_EQ(workers_.started.back(), last);
}

TEST_F(RecoveryTest, ARequestToStopWaitsForRanksThatAreStartedAgain) {
  signals::install(signals::OnNow::Report);
  Recovery recovery(session_);
  workers_.kill(0);
  tend(recovery);

  ASSERT_EQ(::raise(SIGTERM), 0);
  EXPECT_TRUE(recovery.holds_stop(workers_));
  workers_.kill(1);  // with the other, as it turns out
  tend(recovery);
  EXPECT_THAT(workers_.started, testing::SizeIs(2));
  says(0, first_attempt_ + 1, 5);
  EXPECT_TRUE(recovery.holds_stop(workers_));
  says(1, first_attempt_ + 1, 5);
  EXPECT_FALSE(recovery.holds_stop(workers_));
  signals::reset();
}

TEST_F(RecoveryTest, ARequestToStopIsPassedOnAtOnceOtherwise) {
  signals::install(signals::OnNow::Report);
  Recovery recovery(session_);

  ASSERT_EQ(::raise(SIGTERM), 0);

  EXPECT_FALSE(recovery.holds_stop(workers_));
  workers_.kill(0);
  tend(recovery);
  EXPECT_THAT(workers_.started, IsEmpty());
  signals::reset();
}

TEST_F(RecoveryTest, ARankThatWasStartedAgainAndDiesAtOnceDiesWhileLoading) {
  Recovery recovery(session_);
  workers_.kill(0);
  tend(recovery);

  workers_.kill(0);
  const std::string lines = tend(recovery);

  EXPECT_THAT(lines, HasSubstr("rank 0 ended by signal 9 (Killed) while loading\n"));
  EXPECT_THAT(lines, HasSubstr("restarting as attempt " + std::to_string(first_attempt_ + 2)));
}

// The page is taken over by the next process: until that speaks it tells of the one before.
TEST_F(RecoveryTest, ASampleIsNotHeldAgainstAProcessThatHasNotSpoken) {
  Recovery recovery(session_);
  auto hands = contract::SamplesInHand::open(session_.call_of(1).progress);
  ASSERT_TRUE(hands) << hands.error().text();
  (*hands)->take({.number = 22, .clip = 8});
  workers_.kill(1, SIGSEGV);
  tend(recovery);

  workers_.kill(1, SIGSEGV);
  const std::string unspoken = tend(recovery);
  says(1, first_attempt_ + 2, 5);
  workers_.kill(1, SIGSEGV);
  const std::string spoken = tend(recovery);

  EXPECT_THAT(unspoken, Not(HasSubstr("left out")));
  EXPECT_THAT(spoken, HasSubstr("clip 8 is left out"));
}

TEST_F(RecoveryTest, ARankThatIsStoppedBeforeTheRanksMeetStopsAll) {
  Recovery recovery(session_);
  says(1, first_attempt_, 5);
  workers_.leave(1, kExitResumable);
  tend(recovery);
  EXPECT_THAT(workers_.sent, IsEmpty()) << "in training the ranks agree on it themselves";

  std::filesystem::remove(session_.call_of(1).progress);
  tend(recovery);

  EXPECT_EQ(workers_.sent, std::vector<int>{SIGTERM});
  EXPECT_TRUE(recovery.has_stopped_all());
  EXPECT_THAT(workers_.started, IsEmpty());
}

}  // namespace
}  // namespace zt::cli
