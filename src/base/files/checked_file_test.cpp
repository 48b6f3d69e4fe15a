// SPDX-License-Identifier: Apache-2.0
#include "base/files/checked_file.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::files {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 + i / 256);
  return text;
}

TEST(CheckedFile, HoldsWhatWasWrittenInPartsOfAnySize) {
  const test::TempFolder folder;
  const std::string large = pattern((size_t{5} << 20) + 17), small = "x";
  auto file = CheckedFile::create(folder / "a");
  ASSERT_TRUE(file);
  for (const std::string* part : {&small, &large, &small}) ASSERT_TRUE(file->write(bytes_of(*part)));

  const std::string whole = small + large + small;
  const auto sum = file->finish();
  ASSERT_TRUE(sum) << sum.error().text();

  EXPECT_EQ(*sum, hash::xxh128_hex(bytes_of(whole)));
  EXPECT_EQ(*read(folder / "a"), whole);
}

// Another process changes a byte between the writing and the look at the file.
TEST(CheckedFile, FindsWhatIsNotAsItWasWritten) {
  const test::TempFolder folder;
  const std::string text = pattern(1000);
  auto file = CheckedFile::create(folder / "a");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write(bytes_of(text)));
  std::FILE* other = std::fopen((folder / "a").c_str(), "r+b");
  ASSERT_NE(other, nullptr);
  std::fseek(other, 500, SEEK_SET);
  std::fputc(text[500] ^ 1, other);
  std::fclose(other);

  const auto done = file->finish();

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::Corrupt);
}

TEST(CheckedFile, FindsATruncation) {
  const test::TempFolder folder;
  auto file = CheckedFile::create(folder / "a");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write(bytes_of("twelve bytes")));
  fs::resize_file(folder / "a", 5);
  EXPECT_EQ(file->finish().error().code, ErrorCode::Corrupt);
}

}  // namespace
}  // namespace zt::files
