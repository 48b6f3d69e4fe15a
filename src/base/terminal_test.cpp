// SPDX-License-Identifier: Apache-2.0
#include "base/terminal.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace zt::terminal {
namespace {

using namespace std::chrono_literals;

// A progress line that writes into a string, with a clock set by hand.
struct Harness {
  explicit Harness(Traits traits)
      : line(
            traits, [this](std::string_view s) { out += s; }, 10s) {}
  std::string take() { return std::exchange(out, {}); }
  std::string out;
  ProgressLine line;
  ProgressLine::Clock::time_point start{};
};

TEST(Terminal, BarIsClampedAndAsWideAsAsked) {
  EXPECT_EQ(bar(0.5, 12), "[#####.....]");
  EXPECT_EQ(bar(7, 6), "[####]");
  EXPECT_EQ(bar(-1, 6), "[....]");
  EXPECT_EQ(bar(std::numeric_limits<double>::quiet_NaN(), 6), "[....]");
}

TEST(Terminal, FitCutsAtCodePointsNotBytes) {
  EXPECT_EQ(columns("a\xC3\xA9z"), 3);
  EXPECT_EQ(fit("a\xC3\xA9z", 2), "a\xC3\xA9");
  EXPECT_EQ(fit("abc", 5), "abc");
}

TEST(ProgressLine, WithoutATerminalPrintsOneLinePerInterval) {
  Harness h(Traits{});

  h.line.update("step 1", h.start);
  h.line.update("step 2", h.start + 4s);
  h.line.update("step 3", h.start + 10s);
  h.line.update("step 4", h.start + 12s);
  h.line.finish("done");

  EXPECT_EQ(h.take(), "step 1\nstep 3\ndone\n");
}

TEST(ProgressLine, OnATerminalRedrawsOnlyWhatChangedAndLeavesTheLastColumnFree) {
  Harness h(Traits{true, false, 6});

  h.line.update("abcdefgh", h.start);
  EXPECT_EQ(h.take(), "\r\x1b[Kabcde");
  h.line.update("abcdefgh", h.start + 1s);
  EXPECT_EQ(h.take(), "");
  h.line.print_above("note\n");
  EXPECT_EQ(h.take(), "\r\x1b[Knote\nabcde");
  h.line.finish("done");
  EXPECT_EQ(h.take(), "\r\x1b[Kdone\n");
}

TEST(Terminal, APipeIsNoTerminal) {
  EXPECT_FALSE(inspect(-1).is_tty);
  EXPECT_FALSE(inspect(-1).has_color);
}

}  // namespace
}  // namespace zt::terminal
