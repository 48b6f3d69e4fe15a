// SPDX-License-Identifier: Apache-2.0
#include "base/files/links.hpp"

#include <gtest/gtest.h>

#include "support/temp_folder.hpp"

namespace zt::files {
namespace {

TEST(ThroughLinks, LeadsToTheEndWhetherItIsThereOrNot) {
  const test::TempFolder folder;
  std::filesystem::create_directory(folder / "deep");
  std::filesystem::create_symlink("deep/second", folder / "first");
  std::filesystem::create_symlink("absent.mp4", folder / "deep/second");

  EXPECT_EQ(through_links(folder / "first"), folder / "deep/absent.mp4");
  EXPECT_EQ(through_links(folder / "plain.mp4"), folder / "plain.mp4");
}

TEST(ThroughLinks, StaysWhereLinksLeadInACircle) {
  const test::TempFolder folder;
  std::filesystem::create_symlink("b", folder / "a");
  std::filesystem::create_symlink("a", folder / "b");

  EXPECT_EQ(through_links(folder / "a"), folder / "a");
}

}  // namespace
}  // namespace zt::files
