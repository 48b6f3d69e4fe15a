// SPDX-License-Identifier: Apache-2.0
// Wall-clock time for files that people and other hosts read, and a watch for durations. Deadlines use
// std::chrono::steady_clock.
#pragma once

#include <chrono>
#include <string>

namespace zt::clock {

/// Now as "2026-11-24T16:20:05.123Z".
std::string utc_now();
/// Unix time `seconds` in the same form.
std::string utc(double seconds);
/// Seconds since 1970-01-01T00:00Z.
double unix_now_s();

/// Runs from where it is made. Steady: setting the clock does not change it.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace zt::clock
