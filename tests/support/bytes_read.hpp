// SPDX-License-Identifier: Apache-2.0
// What this process has read from files, counted by the kernel.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace zt::test {

/// Bytes that read() and its like gave so far, on all threads; mappings don't count. 0 where the kernel does
/// not say.
inline uint64_t bytes_read() {
  constexpr const char* kLine = "rchar: ";
  std::ifstream counters("/proc/self/io");
  for (std::string line; std::getline(counters, line);)
    if (line.starts_with(kLine)) return std::stoull(line.substr(std::string(kLine).size()));
  return 0;
}

}  // namespace zt::test
