// SPDX-License-Identifier: Apache-2.0
// A page under docs/ that code generates must hold the code's text. With ZT_UPDATE_PAGES=1 in the environment
// the test writes the page instead.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/files/files.hpp"

namespace zt::test {

inline void expect_generated_page(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(ZT_SOURCE_DIR) / "docs" / name;
  if (std::getenv("ZT_UPDATE_PAGES")) {
    ASSERT_TRUE(files::write_atomic(path, text));
  }
  const auto page = files::read(path);
  ASSERT_TRUE(page) << page.error().text();
  EXPECT_TRUE(*page == text) << path << " is stale: run this test with ZT_UPDATE_PAGES=1";
}

}  // namespace zt::test
