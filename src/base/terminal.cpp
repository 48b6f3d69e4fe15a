// SPDX-License-Identifier: Apache-2.0
#include "base/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace zt::terminal {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr int kMinWidth = 20;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

Traits inspect(int fd) {
  Traits traits;
  traits.is_tty = ::isatty(fd) == 1;
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool refuses_color = no_color && *no_color;  // no-color.org: set and not empty
  traits.has_color = traits.is_tty && !refuses_color && term && std::string_view(term) != "dumb";
  winsize size{};
  if (traits.is_tty && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    traits.width = std::max<int>(size.ws_col, kMinWidth);
  }
  return traits;
}

std::string bar(double fraction, int width) {
  const int inner = std::max(width, 3) - 2;
  const double clamped = fraction > 0 ? std::min(fraction, 1.0) : 0.0;  // NaN compares false
  const auto full = static_cast<size_t>(clamped * inner);
  return "[" + std::string(full, '#') + std::string(static_cast<size_t>(inner) - full, '.') + "]";
}

int columns(std::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string fit(std::string_view text, int width) {
  int used = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!is_continuation(text[i]) && used++ == width) return std::string(text.substr(0, i));
  }
  return std::string(text);
}

ProgressLine::ProgressLine(Traits traits, Sink sink, std::chrono::milliseconds interval)
    : traits_(traits), sink_(std::move(sink)), interval_(interval) {}

void ProgressLine::update(std::string_view text, Clock::time_point now) {
  if (traits_.is_tty) {
    // One column stays free: a terminal that wraps at the last one would scroll.
    std::string line = fit(text, traits_.width - 1);
    if (line == shown_) return;
    shown_ = std::move(line);
    sink_(std::string(kEraseLine) + shown_);
    return;
  }
  if (printed_once_ && now - last_ < interval_) return;
  printed_once_ = true;
  last_ = now;
  sink_(std::string(text) + "\n");
}

void ProgressLine::print_above(std::string_view lines) {
  if (lines.empty()) return;
  if (!traits_.is_tty || shown_.empty()) {
    sink_(lines);
    return;
  }
  sink_(std::string(kEraseLine) + std::string(lines) + shown_);
}

void ProgressLine::finish(std::string_view text) {
  clear();
  sink_(std::string(text) + "\n");
}

void ProgressLine::clear() {
  if (traits_.is_tty && !shown_.empty()) sink_(kEraseLine);
  shown_.clear();
}

}  // namespace zt::terminal
