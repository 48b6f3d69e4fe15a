// SPDX-License-Identifier: Apache-2.0
// Wall-clock time for files that people and other hosts read. Durations and deadlines use
// std::chrono::steady_clock.
#pragma once

#include <string>

namespace zt::clock {

/// Now as "2026-11-24T16:20:05.123Z".
std::string utc_now();
/// Unix time `seconds` in the same form.
std::string utc(double seconds);
/// Seconds since 1970-01-01T00:00Z.
double unix_now_s();

}  // namespace zt::clock
