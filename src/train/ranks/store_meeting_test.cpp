// SPDX-License-Identifier: Apache-2.0
#include "train/ranks/store_meeting.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "base/clock.hpp"
#include "rendezvous/server.hpp"
#include "support/store_connections.hpp"

namespace zt::train {
namespace {

using namespace std::chrono_literals;
using test::connect;
using test::cut_connections;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(StoreMeeting, IsOverWhenTheStoreIsGone) {
  auto store = rendezvous::Server::start({}).value();
  StoreMeeting meeting(connect(*store), 0, 2, /*reconnect_limit=*/10ms);
  ASSERT_TRUE(meeting.check());
  ASSERT_TRUE(meeting.post("1/folder", "x"));

  store.reset();

  for (const Status& status : {meeting.check(), meeting.post("2/folder", "x"), meeting.check()}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::Unavailable);
    EXPECT_THAT(status.error().message, HasSubstr("can't be reached"));
    EXPECT_THAT(status.error().message, HasSubstr("zoetrope train --resume"));
  }
}

TEST(StoreMeeting, GoesOnThroughANewConnectionWhereTheOldOneBroke) {
  const auto store = rendezvous::Server::start({}).value();
  StoreMeeting first(connect(*store), 0, 2), second(connect(*store), 1, 2);
  ASSERT_TRUE(first.post("1/folder", "x"));

  cut_connections(store->port());

  EXPECT_THAT(second.await({"1/folder"}, 20s).value(), ElementsAre("x"));
  EXPECT_TRUE(second.post("1/part/1", "written"));
  cut_connections(store->port());
  EXPECT_TRUE(first.check());
  EXPECT_THAT(first.await({"1/part/1"}, 20s).value(), ElementsAre("written"));
}

TEST(StoreMeeting, HearsThatAnotherGenerationHasTakenOver) {
  const auto store = rendezvous::Server::start({}).value();
  StoreMeeting meeting(connect(*store), 0, 2);
  const auto newer = connect(*store, "", /*generation=*/2);

  cut_connections(store->port());

  EXPECT_EQ(meeting.check().error().code, ErrorCode::Superseded);
}

TEST(StoreMeeting, MakesNoConnectionAfterItWasGivenUp) {
  const auto store = rendezvous::Server::start({}).value();
  StoreMeeting meeting(connect(*store), 0, 2);

  meeting.abort();

  EXPECT_EQ(meeting.post("1/folder", "x").error().code, ErrorCode::Cancelled);
  EXPECT_EQ(meeting.check().error().code, ErrorCode::Cancelled);
}

TEST(StoreMeeting, GivesUpAsSoonAsARankIsLost) {
  const auto store = rendezvous::Server::start({}).value();
  const clock::Stopwatch watch;
  Status waited;
  std::thread first([&] {
    const auto texts = StoreMeeting(connect(*store), 0, 2).await({"never posted"}, 20s);
    if (!texts) waited = fail(texts.error());
  });
  connect(*store, "1")->abort();  // ends without a goodbye
  first.join();

  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, ErrorCode::PeerLost);
  EXPECT_THAT(waited.error().message, HasSubstr("rank 1 is gone"));
  EXPECT_LT(watch.seconds(), 10);
}

}  // namespace
}  // namespace zt::train
