// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a process that does not answer: whether it is stopped, asleep, or at work and only
// slow.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

namespace zt::process {

struct Pulse {
  bool is_stopped = false;  ///< by SIGSTOP or a debugger
  /// A thread runs, is ready to run and waits for a core, or waits for a disk.
  bool is_active = false;
  double cpu_s = 0;  ///< used by all its threads so far
};

/// None if there is no such process. Linux: reads /proc/PID, one file and, of a process whose first thread
/// sleeps, one more for each of its threads (5 us each). `proc` replaces "/proc" in tests.
std::optional<Pulse> read_pulse(pid_t pid, const std::filesystem::path& proc = "/proc");

/// Whether there is such a process. A zombie, which nobody waits for where process 1 is no init (containers),
/// does not count.
bool is_running(pid_t pid);

}  // namespace zt::process
