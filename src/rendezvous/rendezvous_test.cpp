// SPDX-License-Identifier: Apache-2.0
// Server and clients over real sockets.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"
#include "rendezvous/wire.hpp"

namespace zt::rendezvous {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

clock::Deadline soon() { return clock::in(seconds(20)); }

class Rendezvous : public testing::Test {
 protected:
  Result<std::unique_ptr<Client>> try_join(int64_t generation, const std::string& member,
                                           const std::string& token = "secret") {
    ClientOptions options;
    options.host = "127.0.0.1";
    options.port = server_->port();
    options.token = token;
    options.generation = generation;
    options.member = member;
    return Client::connect(options, soon());
  }
  std::unique_ptr<Client> join(int64_t generation = 1, const std::string& member = "") {
    return std::move(*try_join(generation, member));
  }
  /// A socket that speaks for itself.
  int raw_connection() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  std::unique_ptr<Server> server_ = std::move(*Server::start({"127.0.0.1", "secret"}));
};

TEST_F(Rendezvous, TakesMoreClientsThanAShellAllowsFilesByItself) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit few = before;
  few.rlim_cur = 64;
  ::setrlimit(RLIMIT_NOFILE, &few);
  server_ = std::move(*Server::start({"127.0.0.1", "secret"}));
  std::vector<std::unique_ptr<Client>> clients;
  while (clients.size() < 100) clients.push_back(join());

  EXPECT_TRUE(clients.back()->set("key", "here"));
  EXPECT_EQ(clients.front()->get("key", soon()), "here");
  clients.clear();
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(Rendezvous, ClientsSeeEachOthersKeys) {
  const auto one = join(), other = join();
  ASSERT_TRUE(one->set("key", std::string("a\0b", 3)));

  EXPECT_EQ(other->get("key", soon()), std::string("a\0b", 3));
  EXPECT_EQ(other->add("n", 2), 2);
  EXPECT_EQ(one->add("n", 3), 5);
  EXPECT_EQ(one->get("n", soon()), "5");
  EXPECT_EQ(one->compare_and_set("first", "", "me"), "me");
  EXPECT_EQ(other->compare_and_set("first", "", "me too"), "me");
  EXPECT_EQ(one->erase("key"), true);
  EXPECT_EQ(one->erase("key"), false);
  EXPECT_EQ(one->local_address(), "127.0.0.1");
}

TEST_F(Rendezvous, GetWaitsUntilAnotherSets) {
  const auto waiting = join(), setting = join();
  std::thread other([&] { ASSERT_TRUE(setting->set("late", "value")); });

  EXPECT_EQ(waiting->get("late", soon()), "value");

  other.join();
}

TEST_F(Rendezvous, MissingKeyIsATimeoutAndTheClientLivesOn) {
  const auto client = join();

  const auto value = client->get(std::vector<std::string>{"absent", "away"}, clock::in(milliseconds(10)));

  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::Timeout);
  EXPECT_NE(value.error().message.find("absent, away"), std::string::npos) << value.error().message;
  EXPECT_TRUE(client->set("absent", "here"));
}

TEST_F(Rendezvous, OlderGenerationIsRefusedAndToldWhy) {
  const auto old = join(1);
  const auto current = join(2);

  const Status late = old->set("key", "value");
  const auto too_late = try_join(1, "");

  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::Superseded);
  EXPECT_EQ(late.error().message, "attempt 1 of the run is over: attempt 2 has taken its place");
  ASSERT_FALSE(too_late);
  EXPECT_EQ(too_late.error().code, ErrorCode::Superseded);
  EXPECT_TRUE(current->set("key", "value"));
}

TEST_F(Rendezvous, WrongTokenIsRefused) {
  const auto stranger = try_join(1, "", "guess");

  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, ErrorCode::Permission);
}

TEST_F(Rendezvous, ServerThatEndsIsAnErrorForThoseWhoWait) {
  const auto client = join();
  std::thread end([&] { server_.reset(); });

  const auto value = client->get("never", soon());

  end.join();
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::Unavailable);
  EXPECT_EQ(client->set("key", "value").error().code, ErrorCode::Unavailable);
}

TEST_F(Rendezvous, ServerThatIsNotThereIsAnErrorAtTheDeadline) {
  ClientOptions options;
  options.host = "127.0.0.1";
  options.port = server_->port();
  options.generation = 1;
  server_.reset();

  const auto client = Client::connect(options, clock::in(milliseconds(20)));

  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::Unavailable);
}

TEST_F(Rendezvous, AbortEndsAWaitFromAnotherThread) {
  const auto client = join();
  std::thread other([&] { client->abort(); });

  const auto value = client->get("never", soon());

  other.join();
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::Cancelled);
}

TEST_F(Rendezvous, ConnectionThatBreaksIsALostMemberAndAGoodbyeIsNot) {
  const auto watcher = join();
  join(1, "left on purpose");
  auto lost = join(1, "4");

  lost->abort();  // breaks the connection

  EXPECT_EQ(watcher->get(kFirstLostKey, soon()), "4");
}

TEST_F(Rendezvous, IsDesertedOnceItsLastClientIsGone) {
  auto one = join(), other = join();
  one.reset();
  EXPECT_EQ(other->add("n", 1), 1);  // the server has served this one after the other's goodbye

  std::thread last([&other] { other.reset(); });
  EXPECT_TRUE(server_->wait_until_deserted(soon()));
  last.join();
}

TEST_F(Rendezvous, StrangersAreNoClientsToWaitFor) {
  ASSERT_FALSE(try_join(1, "", "wrong"));
  const int stranger = raw_connection();

  EXPECT_FALSE(server_->wait_until_deserted(clock::in(milliseconds(20))));
  ::close(stranger);
}

TEST_F(Rendezvous, HostileBytesCostOnlyTheirConnection) {
  const auto client = join();
  std::mt19937 random(11);
  std::vector<std::string> attacks{"GET / HTTP/1.1\r\n\r\n", std::string(4, '\xff'),
                                   std::string(100'000, '\0')};
  attacks.push_back(encode({99, 0, {}}));
  attacks.push_back(encode({static_cast<uint8_t>(RequestKind::Get), 1 << 20, {"key"}}));
  for (int i = 0; i < 50; ++i) {
    std::string noise(1 + random() % 2000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    attacks.push_back(noise);
  }
  for (const std::string& attack : attacks) {
    const int fd = raw_connection();
    [[maybe_unused]] const ssize_t n = ::send(fd, attack.data(), attack.size(), MSG_NOSIGNAL);
    ::close(fd);
  }

  EXPECT_TRUE(client->set("key", "value"));
  EXPECT_EQ(client->get("key", soon()), "value");
}

TEST_F(Rendezvous, OverlongFrameEndsTheConnectionAtOnce) {
  const int fd = raw_connection();
  const std::string length("\xff\xff\xff\x7f", 4);
  ASSERT_EQ(::send(fd, length.data(), length.size(), 0), 4);

  char byte;
  EXPECT_EQ(::recv(fd, &byte, 1, 0), 0);  // closed, without waiting for 2 GiB

  ::close(fd);
}

TEST_F(Rendezvous, RequestThatIsTooLargeIsRefusedBeforeItIsSent) {
  const auto client = join();

  const Status status = client->set("key", std::string(kMaxPayloadBytes, 'x'));

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::InvalidArgument);
  EXPECT_TRUE(client->set("key", "small"));
}

TEST(RendezvousServerDeathTest, NamesTheLimitOfOpenFilesThatKeepsRanksOut) {
  EXPECT_EXIT(
      {
        rlimit few;  // ulimit -n
        few.rlim_cur = few.rlim_max = 64;
        ::setrlimit(RLIMIT_NOFILE, &few);
        const auto server = Server::start({"127.0.0.1", "secret", /*ranks=*/100});
        if (!server) std::fputs(server.error().text().c_str(), stderr);
        ::_exit(!server && server.error().code == ErrorCode::Exhausted ? 0 : 1);
      },
      ::testing::ExitedWithCode(0),
      "100 ranks need 316 open files here, and the limit is 64: raise it .`ulimit -n 1024`");
}

TEST(RendezvousServer, ListensOnlyWhereThisHostHasAnAddress) {
  EXPECT_EQ(Server::start({"not an address", ""}).error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(Server::start({"192.0.2.1", ""}).error().code, ErrorCode::InvalidArgument);  // RFC 5737
}

}  // namespace
}  // namespace zt::rendezvous
