// SPDX-License-Identifier: Apache-2.0
#include "cli/launch/reach_host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

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

TEST(ReachHost, AProgramThatIsNotThereIsNamed) {
  HostOptions options;
  options.hosts = {{"a", 1}};
  options.ssh = "/nowhere/ssh";

  const auto address = address_for_hosts(options);

  ASSERT_FALSE(address);
  EXPECT_THAT(address.error().text(), HasSubstr("/nowhere/ssh"));
}

// ssh's own words, where its configuration is at fault and not the name.
TEST(ReachHost, WhatSshSaysIsHandedOn) {
  const test::TempFolder folder;
  std::ofstream(folder / "ssh") << "#!/bin/sh\necho no such configuration >&2\nexit 255\n";
  std::filesystem::permissions(folder / "ssh", std::filesystem::perms::owner_all);
  HostOptions options;
  options.hosts = {{"no-host.invalid", 1}};
  options.ssh = (folder / "ssh").string();

  const auto address = address_for_hosts(options);

  ASSERT_FALSE(address);
  EXPECT_THAT(address.error().text(), HasSubstr("exit code 255: no such configuration"));
}

}  // namespace
}  // namespace zt::cli
