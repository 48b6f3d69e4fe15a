// SPDX-License-Identifier: Apache-2.0
#include "train/ranks/store_meeting.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "rendezvous/server.hpp"

namespace zt::train {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<rendezvous::Client> connect(const rendezvous::Server& store, std::string member = "",
                                            int64_t generation = 1) {
  rendezvous::ClientOptions options;
  options.host = "127.0.0.1";
  options.port = store.port();
  options.generation = generation;
  options.member = std::move(member);
  return rendezvous::Client::connect(options, clock::in(20s)).value();
}

/// Ends every connection of this process to the store, as a network can.
void cut_connections(uint16_t port) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && ntohs(peer.sin_port) == port)
      ::shutdown(fd, SHUT_RDWR);
  }
}

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
