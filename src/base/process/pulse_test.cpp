// SPDX-License-Identifier: Apache-2.0
#include "base/process/pulse.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>

#include "base/clock.hpp"
#include "base/process/process.hpp"
#include "support/temp_folder.hpp"

namespace zt::process {
namespace {

namespace fs = std::filesystem;

/// As proc(5) has it: fields 14 and 15 are the ticks in user and system mode.
void write_stat(const fs::path& folder, char state, int user_ticks, int system_ticks) {
  fs::create_directories(folder);
  std::ofstream(folder / "stat") << "7 (a) b (c) " << state << " 1 7 7 0 -1 4194304 99 0 0 0 " << user_ticks
                                 << " " << system_ticks << " 0 0 20 0 1 0 4403808 3133440 379\n";
}

TEST(Pulse, IsThatOfAnyThreadAndOfTheWholeProcesssTime) {
  const test::TempFolder proc;
  const auto ticks_per_s = static_cast<int>(::sysconf(_SC_CLK_TCK));
  write_stat(proc / "7", 'S', 3 * ticks_per_s, ticks_per_s / 2);
  write_stat(proc / "7/task/7", 'S', 0, 0);
  write_stat(proc / "7/task/8", 'S', 0, 0);
  EXPECT_FALSE(read_pulse(7, proc.path())->is_active);
  EXPECT_DOUBLE_EQ(read_pulse(7, proc.path())->cpu_s, 3.5);

  for (const char at_work : {'R', 'D'}) {
    write_stat(proc / "7/task/8", at_work, 0, 0);
    EXPECT_TRUE(read_pulse(7, proc.path())->is_active) << at_work;
  }

  for (const char stopped : {'T', 't'}) {
    write_stat(proc / "7", stopped, 0, 0);
    EXPECT_TRUE(read_pulse(7, proc.path())->is_stopped) << stopped;
    EXPECT_FALSE(read_pulse(7, proc.path())->is_active) << stopped;
  }
}

TEST(Pulse, NobodyHasNone) {
  const test::TempFolder proc;
  std::ofstream(proc / "8") << "";
  write_stat(proc / "9", 'S', 0, 0);
  std::ofstream(proc / "9/stat") << "9 (torn";

  for (const pid_t pid : {7, 8, 9}) EXPECT_FALSE(read_pulse(pid, proc.path())) << pid;
}

TEST(Pulse, TellsARealProcesssStop) {
  SpawnOptions options;
  options.argv = {"sleep", "60"};
  const auto child = Child::spawn(options);
  ASSERT_TRUE(child);
  EXPECT_FALSE(read_pulse(child->pid())->is_stopped);

  ASSERT_TRUE(child->send(SIGSTOP));

  const clock::Deadline deadline = clock::in(std::chrono::seconds(10));
  while (!read_pulse(child->pid())->is_stopped) ASSERT_GT(clock::left(deadline).count(), 0);
  EXPECT_TRUE(read_pulse(::getpid())->is_active);
}

}  // namespace
}  // namespace zt::process
