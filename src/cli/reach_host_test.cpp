// SPDX-License-Identifier: Apache-2.0
#include "cli/reach_host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;

TEST(ReachHost, SshGetsItsWordsTheHostAndOneQuotedCommand) {
  HostOptions options;
  options.ssh = "ssh  -F /etc/my config";

  const auto command = agent_command(options, "a", "/opt/it's here/zoetrope");

  EXPECT_EQ(command[0], "ssh");
  EXPECT_EQ(command[2], "/etc/my");
  EXPECT_THAT(command, Contains("BatchMode=yes"));
  EXPECT_EQ(command[command.size() - 2], "a");
  EXPECT_EQ(command.back(), R"(exec '/opt/it'\''s here/zoetrope' host-agent)");
}

TEST(ReachHost, SrunTakesOneTaskOnTheHost) {
  HostOptions options;
  options.has_srun = true;

  const auto command = agent_command(options, "n7", "/opt/zoetrope");

  EXPECT_EQ(command.front(), "srun");
  EXPECT_THAT(command, Contains("--nodelist=n7"));
  EXPECT_THAT(std::vector(command.end() - 2, command.end()), ElementsAre("/opt/zoetrope", "host-agent"));
}

TEST(ReachHost, ANamedAddressCounts) {
  HostOptions options;
  options.hosts = {{"a", 1}};
  options.address = "192.0.2.7";

  EXPECT_EQ(address_for_hosts(options), "192.0.2.7");
}

TEST(ReachHost, HostsThatAreThisOneMeetOnLoopback) {
  HostOptions options;
  options.has_srun = true;  // asks no ssh
  options.hosts = {{"127.0.0.1", 2}, {"127.0.0.2", 2}};

  EXPECT_EQ(address_for_hosts(options), "127.0.0.1");
}

}  // namespace
}  // namespace zt::cli
