// SPDX-License-Identifier: Apache-2.0
#include "dist/backends/lost_watch.hpp"

#include <gtest/gtest.h>

#include <future>
#include <utility>

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

TEST(LostWatch, NamesTheRankThatTheStoreRecords) {
  const auto store = rendezvous::Server::start({}).value();
  std::promise<Outcome> end;
  const auto watch =
      LostWatch::begin(meeting_at(*store), [&](Outcome outcome) { end.set_value(std::move(outcome)); });
  ASSERT_TRUE(watch);

  record_lost(*store, "1");

  auto ended = end.get_future();
  ASSERT_EQ(ended.wait_for(3s), std::future_status::ready);
  EXPECT_EQ(ended.get().ranks, std::vector<int>{1});
}

// A launcher that was stopped or swapped out is taken for gone, and answers again later.
TEST(LostWatch, HearsOfALostRankOverANewConnectionWhereTheOldOneBroke) {
  const auto store = rendezvous::Server::start({}).value();
  std::promise<Outcome> end;
  const auto watch =
      LostWatch::begin(meeting_at(*store), [&](Outcome outcome) { end.set_value(std::move(outcome)); });
  ASSERT_TRUE(watch);

  for (int time = 0; time < 3; ++time) test::cut_connections(store->port());
  record_lost(*store, "1");

  auto ended = end.get_future();
  ASSERT_EQ(ended.wait_for(3s), std::future_status::ready);
  EXPECT_EQ(ended.get().ranks, std::vector<int>{1});
}

TEST(LostWatch, EndsAtOnceThoughNoStoreAnswers) {
  auto store = rendezvous::Server::start({}).value();
  bool has_ended = false;
  const auto watch = LostWatch::begin(meeting_at(*store), [&](Outcome) { has_ended = true; });
  ASSERT_TRUE(watch);
  store.reset();

  const clock::Stopwatch stopping;
  (*watch)->stop();

  EXPECT_LT(stopping.seconds(), 3);
  EXPECT_FALSE(has_ended);
}

TEST(LostWatch, EndsTheGroupWhereANewerGenerationBegins) {
  const auto store = rendezvous::Server::start({}).value();
  std::promise<Outcome> end;
  const auto watch =
      LostWatch::begin(meeting_at(*store), [&](Outcome outcome) { end.set_value(std::move(outcome)); });
  ASSERT_TRUE(watch);

  const auto newer = test::connect(*store, "", /*generation=*/2);

  auto ended = end.get_future();
  ASSERT_EQ(ended.wait_for(3s), std::future_status::ready);
  EXPECT_EQ(ended.get().kind, Outcome::Kind::Cancelled);
}

}  // namespace
}  // namespace zt::dist
