// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/text/text.hpp"

namespace zt::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::Info:
      return spdlog::level::info;
    case Level::Warn:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Made on first use: a program that logs nothing pays nothing.
spdlog::logger& logger() {
  static auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("zt", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return *instance;
}

// What a message quotes from files and peers must neither drive the terminal nor pass for a line of its own:
// control characters as text::visible() shows them, further lines indented.
std::string as_one_entry(std::string_view message) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  std::string out;
  for (const char c : text::visible(message)) {
    out += c;
    if (c == '\n') out += "  ";
  }
  return out;
}

}  // namespace

void write(Level level, std::string_view component, std::string_view message) {
  logger().log(to_spdlog(level), "{}: {}", component, as_one_entry(message));
}

void flush() { logger().flush(); }

bool is_entry(std::string_view line) {
  constexpr std::string_view kTime = "0000-00-00T00:00:00.000Z ";  // by the logger's pattern
  const auto fits = [](char form, char c) { return form == '0' ? c >= '0' && c <= '9' : c == form; };
  return line.size() > kTime.size() && std::equal(kTime.begin(), kTime.end(), line.begin(), fits);
}

}  // namespace zt::log
