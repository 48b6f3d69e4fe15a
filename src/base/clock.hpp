// SPDX-License-Identifier: Apache-2.0
// Wall-clock time for files that people and other hosts read, a watch for durations, and deadlines.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>

namespace zt::clock {

/// Now as "2026-11-24T16:20:05.123Z".
std::string utc_now();
/// Unix time `seconds` in the same form.
std::string utc(double seconds);
/// Seconds since 1970-01-01T00:00Z.
double unix_now_s();

/// The instant at which a wait gives up. Steady, and of this process: it never travels to another one.
using Deadline = std::chrono::steady_clock::time_point;
inline Deadline in(std::chrono::milliseconds duration) { return std::chrono::steady_clock::now() + duration; }
/// Rounded up, so that a wait of this length ends at or after the deadline; 0 once it has passed.
inline std::chrono::milliseconds left(Deadline deadline) {
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max(rest, std::chrono::milliseconds(0));
}

/// Lets the thread sleep; a signal that it handles ends the sleep early.
void sleep(std::chrono::microseconds duration);

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
