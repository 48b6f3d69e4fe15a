// SPDX-License-Identifier: Apache-2.0
#include "dist/backends/lost_watch.hpp"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "rendezvous/server.hpp"
#include "support/store_connections.hpp"

namespace zt::dist {
namespace {

using namespace std::chrono_literals;

/// Rank 0 of two.
Meeting meeting_at(const rendezvous::Server& store) {
  Meeting meeting;
  meeting.store = test::connect(store);
  meeting.prefix = "group/";
  meeting.members = {{0, "here"}, {1, "here"}};
  meeting.deadline = clock::in(20s);
  meeting.compare_after = 100ms;
  return meeting;
}

void record_lost(const rendezvous::Server& store, const std::string& rank) {
  ASSERT_TRUE(test::connect(store)->compare_and_set(rendezvous::kFirstLostKey, "", rank));
}

/// A watch of rank 0, and how it ended.
class LostWatchTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(watch_); }
  Outcome end() {
    auto ended = end_.get_future();
    const bool has_ended = ended.wait_for(3s) == std::future_status::ready;
    EXPECT_TRUE(has_ended);
    return has_ended ? ended.get() : Outcome{};
  }

  std::unique_ptr<rendezvous::Server> store_ = rendezvous::Server::start({}).value();
  std::promise<Outcome> end_;
  Result<std::unique_ptr<LostWatch>> watch_ =
      LostWatch::begin(meeting_at(*store_), [this](Outcome outcome) { end_.set_value(std::move(outcome)); });
};

TEST_F(LostWatchTest, NamesTheRankThatTheStoreRecords) {
  record_lost(*store_, "1");

  EXPECT_EQ(end().ranks, std::vector<int>{1});
}

// A launcher that was stopped or swapped out is taken for gone, and answers again later.
TEST_F(LostWatchTest, HearsOfALostRankOverANewConnectionWhereTheOldOneBroke) {
  for (int time = 0; time < 3; ++time) test::cut_connections(store_->port());
  record_lost(*store_, "1");

  EXPECT_EQ(end().ranks, std::vector<int>{1});
}

TEST_F(LostWatchTest, EndsAtOnceThoughNoStoreAnswers) {
  store_.reset();

  const clock::Stopwatch stopping;
  (*watch_)->stop();

  EXPECT_LT(stopping.seconds(), 3);
  EXPECT_EQ(end_.get_future().wait_for(0s), std::future_status::timeout);
}

TEST_F(LostWatchTest, EndsTheGroupWhereANewerGenerationBegins) {
  const auto newer = test::connect(*store_, "", /*generation=*/2);

  EXPECT_EQ(end().kind, Outcome::Kind::Cancelled);
}

}  // namespace
}  // namespace zt::dist
