// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks/host_call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/ranks/worker_session.hpp"
#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

HostCall some_call() { return {"/runs/a \"b\"\n", 3, "node-b", 4, 2, 8, "10.0.0.5:4000", "secret", true}; }

TEST(HostCall, IsOneLineAndComesBack) {
  const std::string line = to_line(some_call());
  EXPECT_EQ(line.find('\n'), line.size() - 1);

  const auto call = parse_host_call(line);

  ASSERT_TRUE(call) << call.error().text();
  EXPECT_EQ(call->run_dir, "/runs/a \"b\"\n");
  EXPECT_EQ(call->generation, 3);
  EXPECT_EQ(call->host, "node-b");
  EXPECT_EQ(call->first_rank, 4);
  EXPECT_EQ(call->num_here, 2);
  EXPECT_EQ(call->ranks, 8);
  EXPECT_EQ(call->rendezvous, "10.0.0.5:4000");
  EXPECT_EQ(call->token, "secret");
  EXPECT_TRUE(call->keeps_memory);
}

TEST(HostCall, ATornOneIsCorrupt) {
  const std::string line = to_line(some_call());
  for (size_t length = 0; length + 1 < line.size(); ++length)
    EXPECT_EQ(parse_host_call(line.substr(0, length) + "\n").error().code, ErrorCode::Corrupt) << length;
}

TEST(HostCall, RanksBeyondTheLastAreRefused) {
  HostCall call = some_call();
  call.num_here = 5;

  EXPECT_EQ(parse_host_call(to_line(call)).error().code, ErrorCode::Corrupt);
}

TEST(HostCall, ARunFolderThatThisHostDoesNotSeeIsNamed) {
  test::TempFolder folder;
  HostCall call = some_call();
  call.run_dir = folder / "gone";

  const auto session = session_of(call);

  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, ErrorCode::NotFound);
  EXPECT_THAT(session.error().text(), testing::HasSubstr("on a disk that they share"));
}

TEST(HostCall, WordsComeBack) {
  EXPECT_EQ(parse_signal_line("signal 15"), 15);
  EXPECT_TRUE(is_leave_line("leave"));
  EXPECT_EQ(leave_line(), "leave\n");
  const auto order = parse_start_order("start 5 3 2");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->rank, 5);
  EXPECT_EQ(order->generation, 3);
  EXPECT_EQ(order->number, 2);
  EXPECT_EQ(to_line(*order), "start 5 3 2\n");
  const auto word = parse_agent_word("ended 3 -1 9");
  ASSERT_TRUE(word && word->exit);
  EXPECT_EQ(word->rank, 3);
  EXPECT_EQ(word->exit->signal, 9);
  EXPECT_EQ(to_line(*word), "ended 3 -1 9\n");
  EXPECT_FALSE(word->has_hung);
  const auto hung = parse_agent_word("hung 3 -1 9");
  ASSERT_TRUE(hung && hung->exit && hung->has_hung);
  EXPECT_EQ(to_line(*hung), "hung 3 -1 9\n");
  EXPECT_EQ(to_line(AgentWord{1}), "started 1\n");
  EXPECT_EQ(parse_news_line("news zoetrope: rank 3 on b hangs"), "zoetrope: rank 3 on b hangs");
  EXPECT_EQ(news_line("a b"), "news a b\n");
  ASSERT_TRUE(parse_agent_word("started 1"));
  EXPECT_FALSE(parse_agent_word("started 1")->exit);
}

TEST(HostCall, OtherWordsAreNone) {
  for (const char* line : {"", "signal", "signal x", "signal 9 9", "Last login: yesterday"})
    EXPECT_FALSE(parse_signal_line(line)) << line;
  for (const char* line : {"", "start", "started 1 2 3", "start 1 2", "start 1 2 x", "signal 1"})
    EXPECT_FALSE(parse_start_order(line)) << line;
  for (const char* line : {"", "ended", "ended 1 2", "ended 1 2 3 4", "ended one 2 3", "ended 1  2 3",
                           "start 1", "started", "started x", "hung", "hung 1 2"})
    EXPECT_FALSE(parse_agent_word(line)) << line;
  for (const char* line : {"", "new", "newsletter"}) EXPECT_FALSE(parse_news_line(line)) << line;
  for (const char* line : {"", "leaves", "leave now"}) EXPECT_FALSE(is_leave_line(line)) << line;
}

}  // namespace
}  // namespace zt::cli
