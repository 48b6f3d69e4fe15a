// SPDX-License-Identifier: Apache-2.0
// The only logging front. Messages are for people; programs read events (contract/events.hpp). Logs go to
// stderr: stdout belongs to results.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/error.hpp"

namespace zt::log {

/// error = someone must act; warn = handled but unusual; info = a state changed; debug = the rest.
enum class Level { Debug, Info, Warn, Error };

void set_level(Level level);
/// Also appends every message to `path` (the rank's log file).
Status add_file(const std::filesystem::path& path);
/// `component` is the folder's name; `message` is one line, with key=value for what a reader may search.
/// Control characters in it are written as '?', further lines of it indented.
void write(Level level, std::string_view component, std::string_view message);
inline void debug(std::string_view component, std::string_view message) {
  write(Level::Debug, component, message);
}
inline void info(std::string_view component, std::string_view message) {
  write(Level::Info, component, message);
}
inline void warn(std::string_view component, std::string_view message) {
  write(Level::Warn, component, message);
}
inline void error(std::string_view component, std::string_view message) {
  write(Level::Error, component, message);
}
void flush();

}  // namespace zt::log
