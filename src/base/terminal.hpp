// SPDX-License-Identifier: Apache-2.0
// What the terminal can do, and a progress line for it: redrawn in place on a terminal, one plain line per
// interval elsewhere (a log file must stay readable).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace zt::terminal {

struct Traits {
  bool is_tty = false;
  bool has_color = false;  ///< a terminal, TERM is not "dumb" and NO_COLOR is not set
  int width = 80;          ///< columns
};

/// Of a file descriptor: 1 stdout, 2 stderr.
Traits inspect(int fd);

/// "[#####.....]": `width` columns in all, at least 3. `fraction` is clamped to [0, 1]; NaN counts as 0.
std::string bar(double fraction, int width);

/// Columns of a UTF-8 text, one per code point.
int columns(std::string_view text);
/// The text cut to `width` columns.
std::string fit(std::string_view text, int width);

/// Shows the newest of a stream of states. Threads: one caller at a time.
class ProgressLine {
 public:
  using Sink = std::function<void(std::string_view)>;
  using Clock = std::chrono::steady_clock;

  /// `interval` is the pause between two lines where there is no terminal.
  ProgressLine(Traits traits, Sink sink, std::chrono::milliseconds interval = std::chrono::seconds(10));

  /// `text` is the state as one line. On a terminal it is redrawn when it changed; elsewhere it is printed if
  /// `interval` has passed since the last one.
  void update(std::string_view text, Clock::time_point now = Clock::now());
  /// Prints complete lines above the progress line.
  void print_above(std::string_view lines);
  /// Leaves `text` as the last state, on its own line.
  void finish(std::string_view text);
  /// Removes the line from the terminal.
  void clear();

 private:
  Traits traits_;
  Sink sink_;
  std::chrono::milliseconds interval_;
  std::string shown_;
  bool printed_once_ = false;
  Clock::time_point last_{};
};

}  // namespace zt::terminal
