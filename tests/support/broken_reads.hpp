// SPDX-License-Identifier: Apache-2.0
// A disk that errs under a file which is open in this process: every further read of it says EIO.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace zt::test {

/// Puts in place of each descriptor of the file one of this process's memory, whose first megabytes nobody
/// maps. Returns how many there were.
inline int break_reads(const std::filesystem::path& file) {
  const int unreadable = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  int count = 0;
  for (int fd = 3; fd < unreadable; ++fd) {
    std::error_code is_closed;
    if (!std::filesystem::equivalent("/proc/self/fd/" + std::to_string(fd), file, is_closed)) continue;
    ::dup2(unreadable, fd);
    ++count;
  }
  ::close(unreadable);
  return count;
}

}  // namespace zt::test
