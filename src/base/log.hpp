// SPDX-License-Identifier: Apache-2.0
// The only logging front. Messages are for people; programs read events (contract/events.hpp). Logs go to
// stderr: stdout belongs to results.
#pragma once

#include <string_view>

namespace zt::log {

/// error = someone must act; warn = handled but unusual; info = a state changed.
enum class Level { Info, Warn, Error };

/// `component` is the folder's name; `message` is one line, with key=value for what a reader may search.
/// Control characters in it are written as '?', further lines of it indented.
void write(Level level, std::string_view component, std::string_view message);
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

/// Whether a line of a file begins an entry that write() made.
bool is_entry(std::string_view line);

}  // namespace zt::log
