// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks/log_tail.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

TEST(LogTail, GivesCompleteLinesOnceAndTheRestAtTheEnd) {
  const test::TempFolder folder;
  const auto path = folder / "log";
  std::ofstream(path) << "before\n";
  LogTail tail(path);
  std::ofstream out(path, std::ios::app);

  EXPECT_EQ(tail.read(), "");
  out << "one\ntw" << std::flush;
  EXPECT_EQ(tail.read(), "one\n");
  out << "o\nlast" << std::flush;
  EXPECT_EQ(tail.read(), "two\n");
  EXPECT_EQ(tail.read(), "");
  EXPECT_EQ(tail.rest(), "last");
}

TEST(LogTail, AFileThatComesLaterIsFound) {
  const test::TempFolder folder;
  LogTail tail(folder / "log");
  EXPECT_EQ(tail.read(), "");

  std::ofstream(folder / "log") << "hello\n";

  EXPECT_EQ(tail.read(), "hello\n");
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
