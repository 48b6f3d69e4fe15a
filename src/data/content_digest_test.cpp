// SPDX-License-Identifier: Apache-2.0
#include "data/content_digest.hpp"

#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

TEST(ContentCheck, FootageThatWasReplacedIsRefusedUntilItIsBack) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "a.mp4", "one video"));
  ClipIndex index{folder.path(), {ClipRecord()}, "", /*has_digests=*/true};
  index.clips[0].video = "a.mp4";
  index.clips[0].content = content_digest(folder / "a.mp4").value();
  ASSERT_TRUE(files::write_atomic(folder / "a.mp4", "another"));
  ContentCheck check;

  const Status replaced = check.check(index, 0);
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, ErrorCode::Corrupt);
  EXPECT_NE(replaced.error().text().find("a.mp4 is not what it was"), std::string::npos);

  ASSERT_TRUE(files::write_atomic(folder / "a.mp4", "one video"));
  EXPECT_TRUE(check.check(index, 0));
}

TEST(ContentCheck, AnIndexWithoutDigestsPasses) {
  ClipIndex index{"/nowhere", {ClipRecord()}, ""};
  EXPECT_TRUE(ContentCheck().check(index, 0));
}

TEST(ContentDigest, OfAFolderIsThatOfItsPicturesInOrder) {
  const test::TempFolder folder;
  std::filesystem::create_directory(folder / "frames");
  ASSERT_TRUE(files::write_atomic(folder / "frames" / "1.png", "ab"));
  ASSERT_TRUE(files::write_atomic(folder / "frames" / "2.png", "c"));
  ASSERT_TRUE(files::write_atomic(folder / "whole", "abc"));

  EXPECT_EQ(content_digest(folder / "frames").value(), content_digest(folder / "whole").value());
  EXPECT_EQ(content_digest(folder / "absent").error().code, ErrorCode::NotFound);
}

TEST(SampledDigest, IsOfTheBytesAndNotOfPlaceOrTime) {
  const test::TempFolder folder;
  std::string bytes(5 << 20, 'a');
  ASSERT_TRUE(files::write_atomic(folder / "a.mp4", bytes));
  ASSERT_TRUE(files::write_atomic(folder / "copy.mp4", bytes));
  const std::string whole = sampled_digest(folder / "a.mp4").value();
  EXPECT_EQ(sampled_digest(folder / "copy.mp4").value(), whole);

  bytes.front() = 'b';
  ASSERT_TRUE(files::write_atomic(folder / "start.mp4", bytes));
  EXPECT_NE(sampled_digest(folder / "start.mp4").value(), whole);
  bytes.front() = 'a', bytes.back() = 'b';
  ASSERT_TRUE(files::write_atomic(folder / "end.mp4", bytes));
  EXPECT_NE(sampled_digest(folder / "end.mp4").value(), whole);
  bytes.back() = 'a', bytes.push_back('a');
  ASSERT_TRUE(files::write_atomic(folder / "longer.mp4", bytes));
  EXPECT_NE(sampled_digest(folder / "longer.mp4").value(), whole);
}

TEST(SampledDigest, SeesEveryByteOfASmallFile) {
  const test::TempFolder folder;
  std::string bytes(300'000, 'a');
  ASSERT_TRUE(files::write_atomic(folder / "a.mp4", bytes));
  const std::string whole = sampled_digest(folder / "a.mp4").value();
  for (size_t at = 0; at < bytes.size(); at += 9973) {
    bytes[at] = 'b';
    ASSERT_TRUE(files::write_atomic(folder / "a.mp4", bytes));
    EXPECT_NE(sampled_digest(folder / "a.mp4").value(), whole) << at;
    bytes[at] = 'a';
  }
}

TEST(SampledDigest, OfAFolderSeesSizesAndPictures) {
  const test::TempFolder folder;
  std::filesystem::create_directory(folder / "frames");
  for (int i = 10; i < 50; ++i)
    ASSERT_TRUE(files::write_atomic(folder / "frames" / (std::to_string(i) + ".png"), "picture"));
  const std::string whole = sampled_digest(folder / "frames").value();

  ASSERT_TRUE(files::write_atomic(folder / "frames" / "10.png", "another"));
  EXPECT_NE(sampled_digest(folder / "frames").value(), whole);
  ASSERT_TRUE(files::write_atomic(folder / "frames" / "10.png", "picture"));
  EXPECT_EQ(sampled_digest(folder / "frames").value(), whole);
  ASSERT_TRUE(files::write_atomic(folder / "frames" / "11.png", "longer picture"));
  EXPECT_NE(sampled_digest(folder / "frames").value(), whole);
  EXPECT_EQ(sampled_digest(folder / "absent").error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace zt::data
