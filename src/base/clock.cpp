// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <ctime>

namespace zt::clock {

std::string utc(double seconds) {
  const double whole = std::floor(seconds);
  const auto time = static_cast<std::time_t>(whole);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     static_cast<int>((seconds - whole) * 1000));
}

std::string utc_now() { return utc(unix_now_s()); }

double unix_now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void sleep(std::chrono::microseconds duration) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(duration);
  const timespec time{static_cast<std::time_t>(whole.count()),
                      static_cast<long>(std::chrono::nanoseconds(duration - whole).count())};
  ::nanosleep(&time, nullptr);
}

}  // namespace zt::clock
