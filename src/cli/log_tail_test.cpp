// SPDX-License-Identifier: Apache-2.0
#include "cli/log_tail.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

TEST(LogTail, GivesWholeLinesAndThenTheRest) {
  const test::TempFolder folder;
  std::ofstream log(folder / "log");
  log << "before\n" << std::flush;
  LogTail tail(folder / "log");

  log << "one\ntw" << std::flush;
  EXPECT_EQ(tail.read(), "one\n");
  log << "o\nthr" << std::flush;
  EXPECT_EQ(tail.read(), "two\n");
  EXPECT_EQ(tail.read(), "");
  EXPECT_EQ(tail.rest(), "thr");
}

TEST(LogTail, FollowsAFileThatIsMovedOrRemoved) {
  const test::TempFolder folder;
  LogTail tail(folder / "log");
  std::ofstream log(folder / "log");
  log << "one\n" << std::flush;
  EXPECT_EQ(tail.read(), "one\n");

  std::filesystem::rename(folder / "log", folder / "moved");
  log << "two\n" << std::flush;
  EXPECT_EQ(tail.read(), "two\n");
  std::filesystem::remove(folder / "moved");
  log << "three\n" << std::flush;
  EXPECT_EQ(tail.read(), "three\n");
}

}  // namespace
}  // namespace zt::cli
