// SPDX-License-Identifier: Apache-2.0
#include "cli/launch/hosts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Hosts, HaveAsManyRanksAsTheyAreGiven) {
  const auto hosts = parse_hosts("a:4,b.cluster:2,10.0.0.7").value();

  EXPECT_THAT(hosts, ElementsAre(HostSlots{"a", 4}, HostSlots{"b.cluster", 2}, HostSlots{"10.0.0.7", 1}));
  EXPECT_EQ(num_ranks(hosts), 7);
}

TEST(Hosts, WhatIsNoneIsNamed) {
  for (const char* text : {"", "a:", "a:0", "a:x", "a:2000", ":4", "a,,b", "a,", "-oProxyCommand=x:1", "a b",
                           "a:1,a:2", "::1", "fe80::2:1"}) {
    const auto hosts = parse_hosts(text);
    ASSERT_FALSE(hosts) << text;
    EXPECT_EQ(hosts.error().code, ErrorCode::InvalidArgument);
  }
  EXPECT_THAT(parse_hosts("a:4,b:x").error().text(), HasSubstr("'b:x'"));
}

// The example of DeepSpeed's documentation, with a comment.
TEST(Hosts, ADeepSpeedFileIsRead) {
  EXPECT_THAT(parse_hostfile("worker-1 slots=4\n\n# spare:\nworker-2   slots=8  # new\r\nlast\n").value(),
              ElementsAre(HostSlots{"worker-1", 4}, HostSlots{"worker-2", 8}, HostSlots{"last", 1}));
}

TEST(Hosts, AFilesBadLineIsNamed) {
  for (const char* text :
       {"a slots=4\nb slot=4\n", "a slots=4\nb slots=0", "a slots=4\nb slots=4 max=8", "a\na slots=2"})
    EXPECT_THAT(parse_hostfile(text).error().text(), HasSubstr("line 2")) << text;
  EXPECT_THAT(parse_hostfile("# none\n").error().text(), HasSubstr("no line"));
}

TEST(Hosts, SlurmsTasksAreTheRanks) {
  const contract::Environment job = {{"SLURM_JOB_NODELIST", "n[1-3],m"}, {"SLURM_TASKS_PER_NODE", "2(x3),1"}};

  EXPECT_THAT(hosts_of_slurm(job, 0).value(),
              ElementsAre(HostSlots{"n1", 2}, HostSlots{"n2", 2}, HostSlots{"n3", 2}, HostSlots{"m", 1}));
  EXPECT_EQ(num_ranks(hosts_of_slurm(job, 8).value()), 32);
}

TEST(Hosts, WithoutTasksEveryNodeHasOne) {
  EXPECT_EQ(num_ranks(hosts_of_slurm({{"SLURM_JOB_NODELIST", "n[1-3]"}}, 0).value()), 3);
}

TEST(Hosts, SlurmNonsenseIsNamed) {
  EXPECT_THAT(hosts_of_slurm({}, 0).error().text(), HasSubstr("SLURM_JOB_NODELIST is not set"));
  EXPECT_THAT(
      hosts_of_slurm({{"SLURM_JOB_NODELIST", "n[1-2]"}, {"SLURM_TASKS_PER_NODE", "2(x3)"}}, 0).error().text(),
      HasSubstr("contradict"));
  EXPECT_THAT(
      hosts_of_slurm({{"SLURM_JOB_NODELIST", "n1"}, {"SLURM_TASKS_PER_NODE", "2(x"}}, 0).error().text(),
      HasSubstr("2(x"));
}

}  // namespace
}  // namespace zt::cli
