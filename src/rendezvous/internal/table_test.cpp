// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/internal/table.hpp"

#include <gtest/gtest.h>

#include "rendezvous/server.hpp"

namespace zt::rendezvous {
namespace {

using std::chrono::milliseconds;

const clock::Deadline kStart{};  // the tests' clock

Frame request(RequestKind kind, std::vector<std::string> strings, int64_t number = 0) {
  return {static_cast<uint8_t>(kind), number, std::move(strings)};
}

ReplyKind kind_of(const Table::Answer& answer) { return static_cast<ReplyKind>(answer.reply.kind); }

class TableTest : public testing::Test {
 protected:
  std::vector<Table::Answer> ask(uint64_t connection, RequestKind kind, std::vector<std::string> strings,
                                 int64_t number = 0, clock::Deadline now = kStart) {
    return table_.handle(connection, request(kind, std::move(strings), number), now);
  }
  void join(uint64_t connection, int64_t generation, const std::string& member = "") {
    const auto answers =
        ask(connection, RequestKind::Hello, {std::string(kProtocol), "secret", member}, generation);
    ASSERT_EQ(kind_of(answers.back()), ReplyKind::Done);
  }
  Table table_{"secret"};
};

TEST_F(TableTest, WrongTokenProtocolOrGenerationIsRefused) {
  const std::string protocol(kProtocol);
  EXPECT_EQ(kind_of(ask(1, RequestKind::Hello, {protocol, "guess", ""}, 1).at(0)), ReplyKind::Refused);
  EXPECT_EQ(kind_of(ask(2, RequestKind::Hello, {"http", "secret", ""}, 1).at(0)), ReplyKind::Refused);
  EXPECT_EQ(kind_of(ask(3, RequestKind::Hello, {protocol, "secret", ""}, 0).at(0)), ReplyKind::Refused);
}

TEST_F(TableTest, NothingIsAnsweredBeforeHello) {
  const auto answers = ask(1, RequestKind::Set, {"k", "v"});

  EXPECT_EQ(kind_of(answers.at(0)), ReplyKind::Invalid);
  EXPECT_TRUE(answers.at(0).close_after);
}

TEST_F(TableTest, GetWaitsForTheLastOfItsKeys) {
  join(1, 1);
  join(2, 1);
  EXPECT_TRUE(ask(1, RequestKind::Get, {"a", "b"}, 1000).empty());
  EXPECT_EQ(ask(2, RequestKind::Set, {"a", "1"}).size(), 1U);

  const auto answers = ask(2, RequestKind::Set, {"b", "2"});

  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].connection, 1U);
  EXPECT_EQ(answers[0].reply.strings, (std::vector<std::string>{"1", "2"}));
}

TEST_F(TableTest, GetThatTimesOutNamesTheMissingKeys) {
  join(1, 1);
  ask(1, RequestKind::Set, {"a", "1"});
  ask(1, RequestKind::Get, {"a", "b", "c"}, 1000);
  EXPECT_EQ(table_.next_expiry(), kStart + milliseconds(1000));
  EXPECT_TRUE(table_.expire(kStart + milliseconds(999)).empty());

  const auto answers = table_.expire(kStart + milliseconds(1000));

  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(kind_of(answers[0]), ReplyKind::TimedOut);
  EXPECT_EQ(answers[0].reply.strings, (std::vector<std::string>{"b", "c"}));
  EXPECT_FALSE(table_.next_expiry());
}

TEST_F(TableTest, NewerGenerationEndsTheOlder) {
  join(1, 1);
  join(2, 1);
  ask(1, RequestKind::Set, {"k", "old"});
  ask(2, RequestKind::Get, {"other"}, 1000);

  const auto answers = ask(3, RequestKind::Hello, {std::string(kProtocol), "secret", ""}, 2);

  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].connection, 2U);
  EXPECT_EQ(kind_of(answers[0]), ReplyKind::Superseded);
  EXPECT_EQ(answers[0].reply.number, 2);
  EXPECT_EQ(kind_of(ask(1, RequestKind::Set, {"k", "late"}).at(0)), ReplyKind::Superseded);
  EXPECT_EQ(kind_of(ask(3, RequestKind::Get, {"k"}).at(0)), ReplyKind::TimedOut);
  EXPECT_EQ(kind_of(ask(4, RequestKind::Hello, {std::string(kProtocol), "secret", ""}, 1).at(0)),
            ReplyKind::Superseded);
}

TEST_F(TableTest, FirstLostMemberOfTheGenerationIsRecorded) {
  join(1, 1, "3");
  join(2, 1, "5");
  join(3, 1, "7");
  join(4, 1, "");
  ask(1, RequestKind::Goodbye, {});
  table_.disconnect(1);
  table_.disconnect(4);
  EXPECT_EQ(kind_of(ask(3, RequestKind::Get, {kFirstLostKey}).at(0)), ReplyKind::TimedOut);

  table_.disconnect(2);
  table_.disconnect(3);

  join(5, 1);
  EXPECT_EQ(ask(5, RequestKind::Get, {kFirstLostKey}).at(0).reply.strings.at(0), "5");
}

TEST_F(TableTest, ConnectionsOfAnOlderGenerationAreNotLost) {
  join(1, 1, "3");
  join(2, 2, "3");

  table_.disconnect(1);

  EXPECT_EQ(kind_of(ask(2, RequestKind::Get, {kFirstLostKey}).at(0)), ReplyKind::TimedOut);
}

TEST_F(TableTest, AddCountsAndRefusesWhatIsNoNumber) {
  join(1, 1);
  EXPECT_EQ(ask(1, RequestKind::Add, {"n"}, 5).at(0).reply.number, 5);
  EXPECT_EQ(ask(1, RequestKind::Add, {"n"}, -7).at(0).reply.number, -2);
  ask(1, RequestKind::Set, {"text", "x"});
  EXPECT_EQ(kind_of(ask(1, RequestKind::Add, {"text"}, 1).at(0)), ReplyKind::Invalid);
  ask(1, RequestKind::Set, {"big", std::to_string(std::numeric_limits<int64_t>::max())});
  EXPECT_EQ(kind_of(ask(1, RequestKind::Add, {"big"}, 1).at(0)), ReplyKind::Invalid);
}

TEST_F(TableTest, CompareAndSetTakesTheFirst) {
  join(1, 1);
  const auto value = [&](const char* expected, const char* desired) {
    return ask(1, RequestKind::CompareAndSet, {"k", expected, desired}).at(0).reply.strings.at(0);
  };
  EXPECT_EQ(value("something", "x"), "");
  EXPECT_EQ(value("", "first"), "first");
  EXPECT_EQ(value("", "second"), "first");
  EXPECT_EQ(value("first", "second"), "second");
}

TEST_F(TableTest, StoreIsBounded) {
  join(1, 1);
  const std::string megabyte(size_t{1} << 20, 'x');
  const size_t fits = Table::kMaxStoredBytes / megabyte.size() - 1;
  for (size_t i = 0; i < fits; ++i)
    ASSERT_EQ(kind_of(ask(1, RequestKind::Set, {std::to_string(i), megabyte}).at(0)), ReplyKind::Done);
  ask(1, RequestKind::Set, {"last", megabyte});

  EXPECT_EQ(kind_of(ask(1, RequestKind::Set, {"more", megabyte}).at(0)), ReplyKind::Full);
  EXPECT_EQ(ask(1, RequestKind::Erase, {"0"}).at(0).reply.number, 1);
  EXPECT_EQ(kind_of(ask(1, RequestKind::Set, {"more", megabyte}).at(0)), ReplyKind::Done);
  EXPECT_EQ(kind_of(ask(1, RequestKind::Get, {"1", "2"}).at(0)), ReplyKind::Invalid);  // one reply holds less
}

}  // namespace
}  // namespace zt::rendezvous
