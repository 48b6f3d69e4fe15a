// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace zt::log {
namespace {

/// What a message becomes in the log, without its time.
std::string logged(std::string_view message) {
  testing::internal::CaptureStderr();
  warn("test", message);
  flush();
  const std::string text = testing::internal::GetCapturedStderr();
  const size_t level = text.find("Z ");
  EXPECT_NE(level, std::string::npos) << text;
  return text.substr(level + 2);
}

TEST(Log, WritesLevelComponentAndMessage) {
  EXPECT_EQ(logged("step=3 saved"), "warning test: step=3 saved\n");
}

// A file's name may hold anything: here colours, a title for the window, and U+009B, which begins a command
// too.
TEST(Log, ShowsControlCharactersInsteadOfSendingThem) {
  EXPECT_EQ(logged("no \x1b[31mred\x1b]0;title\a\xC2\x9B"
                   "2J\x7f.mp4\tsize=3 \xC3\xA9"),
            "warning test: no ?[31mred?]0;title??2J?.mp4\tsize=3 \xC3\xA9\n");
}

TEST(Log, KnowsItsEntries) {
  testing::internal::CaptureStderr();
  info("test", "ready");
  flush();
  EXPECT_TRUE(is_entry(testing::internal::GetCapturedStderr()));
  EXPECT_FALSE(is_entry("2026-11-28: error while loading shared libraries: x.so"));
  EXPECT_FALSE(is_entry(""));
}

TEST(Log, FurtherLinesOfAMessageDoNotPassForEntries) {
  EXPECT_EQ(logged("bad name 'a\n2026-01-01T00:00:00.000Z error all is lost'\n\n"),
            "warning test: bad name 'a\n  2026-01-01T00:00:00.000Z error all is lost'\n");
}

}  // namespace
}  // namespace zt::log
