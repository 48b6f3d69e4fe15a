// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks/host_group.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>

#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Two ranks on one host, whose agent is `program`.
HostPart part_of(const test::TempFolder& folder, const std::string& program) {
  HostCall call;
  call.host = "a";
  call.num_here = 2;
  return {call, {"sh", "-c", program}, folder / "log"};
}

/// Starts both, and looks until they have ended.
void run(HostGroup& group, int signal) {
  ::signal(SIGPIPE, SIG_IGN);  // as in the program
  for (size_t rank = 0; rank < 2; ++rank) ASSERT_TRUE(group.start(rank, /*generation=*/1, /*number=*/0));
  if (signal != 0) group.send(signal);
  for (const auto until = clock::in(10s); !group.have_all_ended() && clock::left(until) > 0ms;)
    ASSERT_TRUE(group.look(10ms));
  ASSERT_TRUE(group.have_all_ended());
}

TEST(HostGroup, WaitsNoLongerThanItsLimitForAnAgentThatDoesNotKill) {
  const test::TempFolder folder;
  // As one that is stopped, or behind a dead network: it says no word, whatever it is told.
  HostGroup group({part_of(folder, "cat > /dev/null")}, {.kill = 50ms});

  run(group, SIGKILL);

  EXPECT_TRUE(group.has_failed(1));
  EXPECT_THAT(group.end_of(1)->message, HasSubstr("the agent on a ended with signal 9"));
}

TEST(HostGroup, TakesAnAgentThatNeverAnsweredForAHostThatIsAway) {
  const test::TempFolder folder;
  HostGroup group({part_of(folder, "echo no such option >&2; exit 2")});

  run(group, 0);

  EXPECT_EQ(group.end_of(0)->exit.code, 69) << "2 would be a wrong command line of zoetrope's";
  EXPECT_FALSE(group.end_of(0)->is_host_lost);
  EXPECT_THAT(group.end_of(0)->message, HasSubstr("no such option"));
  EXPECT_THAT(group.end_of(0)->message, HasSubstr("no answer: check that `sh a` works without a password"));
}

TEST(HostGroup, HandsOnWhatAgentsSayForPeople) {
  const test::TempFolder folder;
  HostGroup group({part_of(folder, "echo started 0; echo news zoetrope: rank 1 on a hangs")});

  run(group, 0);

  EXPECT_EQ(group.take_news(), "zoetrope: rank 1 on a hangs\n");
  EXPECT_EQ(group.take_news(), "");
}

// A clip at which a rank hangs twice is left out, wherever the rank is.
TEST(HostGroup, HearsThatARankHung) {
  const test::TempFolder folder;
  HostGroup group({part_of(folder, "echo started 0; echo hung 0 -1 9; echo ended 1 76 0")});

  run(group, 0);

  EXPECT_TRUE(group.end_of(0)->has_hung);
  EXPECT_EQ(group.end_of(0)->exit.signal, SIGKILL);
  EXPECT_FALSE(group.end_of(1)->has_hung);
}

TEST(HostGroup, SaysOnceWhomTheRanksWaitFor) {
  const test::TempFolder folder;
  HostGroup group({part_of(folder, "cat > /dev/null")}, {.kill = 50ms, .silence = 0ms});

  run(group, SIGKILL);

  EXPECT_THAT(group.take_news(), testing::StartsWith("zoetrope: a has not answered for 0 s"));
  EXPECT_EQ(group.take_news(), "");
}

TEST(HostGroup, SaysWhatSshMeansByItsExitCode) {
  const test::TempFolder folder;
  HostGroup group({part_of(folder, "echo started 0; exit 255")});

  run(group, 0);

  EXPECT_THAT(
      group.end_of(0)->message,
      HasSubstr("ended with exit code 255, which is ssh's for a lost connection (" + folder.path().string()));
}

}  // namespace
}  // namespace zt::cli
