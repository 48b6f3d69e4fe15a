// SPDX-License-Identifier: Apache-2.0
#include "base/process/resources.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "support/temp_folder.hpp"

namespace zt::resources {
namespace {

// A root folder with the given files, in place of "/".
class FakeRoot {
 public:
  FakeRoot& with(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
    return *this;
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  test::TempFolder folder_;
};

constexpr const char* kMeminfo =
    "MemTotal:       16000 kB\nMemFree:         100 kB\nMemAvailable:   8000 kB\n";

TEST(Resources, WithoutACgroupMeminfoDecides) {
  FakeRoot root;
  root.with("proc/meminfo", kMeminfo);

  const auto found = memory(root.path());

  ASSERT_TRUE(found);
  EXPECT_EQ(found->total_bytes, 16000u * 1024);
  EXPECT_EQ(found->available_bytes, 8000u * 1024);
  EXPECT_FALSE(found->is_limited_by_cgroup);
}

TEST(Resources, CgroupV2LimitOfAParentFolderCountsAndFileCacheIsNotUsed) {
  FakeRoot root;
  root.with("proc/meminfo", kMeminfo).with("proc/self/cgroup", "0::/job/step\n");
  root.with("sys/fs/cgroup/job/memory.max", "4096000\n")
      .with("sys/fs/cgroup/job/memory.current", "3000000\n");
  root.with("sys/fs/cgroup/job/memory.stat", "anon 1000000\ninactive_file 2000000\n");
  root.with("sys/fs/cgroup/job/step/memory.max", "max\n")
      .with("sys/fs/cgroup/job/step/memory.current", "3000000\n");

  const auto found = memory(root.path());

  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_limited_by_cgroup);
  EXPECT_EQ(found->total_bytes, 4096000u);
  EXPECT_EQ(found->available_bytes, 4096000u - (3000000u - 2000000u));
}

TEST(Resources, CgroupV1LimitCounts) {
  FakeRoot root;
  root.with("proc/meminfo", kMeminfo).with("proc/self/cgroup", "5:memory:/box\n4:cpu,cpuacct:/box\n");
  root.with("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
  root.with("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000\n");

  const auto found = memory(root.path());

  ASSERT_TRUE(found);
  EXPECT_EQ(found->available_bytes, 1500000u);
}

TEST(Resources, CpuQuotaIsRoundedUpAndNeverBelowOne) {
  FakeRoot root;
  root.with("proc/self/cgroup", "0::/\n").with("sys/fs/cgroup/cpu.max", "50000 100000\n");

  EXPECT_EQ(cores(root.path()), 1);
}

TEST(Resources, CoresAreFreeWhereNothingElseRuns) {
  const auto are_free = [](const std::string& stat) {
    FakeRoot root;
    return cores_are_free(root.with("proc/stat", stat).path());
  };
  EXPECT_TRUE(are_free("cpu  1 2 3\nprocesses 9\nprocs_running 1\nprocs_blocked 3\n"));
  EXPECT_FALSE(are_free("cpu  1 2 3\nprocesses 9\nprocs_running 2\nprocs_blocked 0\n"));
  EXPECT_FALSE(are_free("cpu  1 2 3\n"));
  FakeRoot empty;
  EXPECT_FALSE(cores_are_free(empty.with("proc/meminfo", "").path()));
}

TEST(Resources, RefusalShowsTheArithmeticAndTheAdvice) {
  const std::vector<Demand> demands{{"weights", 3ull << 30}, {"optimizer state", 6ull << 30}};

  const auto status = require("memory", demands, 4ull << 30, "Use optimizer.kind: adamw8bit.");

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::Exhausted);
  EXPECT_EQ(status.error().message,
            "not enough memory: 9.00 GiB needed, 4.00 GiB available\n"
            "    3.00 GiB  weights\n"
            "    6.00 GiB  optimizer state\n"
            "Use optimizer.kind: adamw8bit.");
  EXPECT_TRUE(require("memory", demands, 9ull << 30, ""));
}

TEST(Resources, SumThatOverflowsIsRefused) {
  const std::vector<Demand> demands{{"a", ~0ull}, {"b", 10}};

  EXPECT_FALSE(require("memory", demands, 1000, ""));
}

TEST(Resources, RealMachineHasMemoryAndACore) {
  const auto found = memory();

  ASSERT_TRUE(found);
  EXPECT_GT(found->available_bytes, 0u);
  EXPECT_LE(found->available_bytes, found->total_bytes);
  EXPECT_GE(cores(), 1);
}

}  // namespace
}  // namespace zt::resources
