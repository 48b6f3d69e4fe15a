// SPDX-License-Identifier: Apache-2.0
#include "data/content_digest.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "base/files/files.hpp"
#include "support/closed_folder.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

TEST(ContentCheck, FootageThatWasReplacedIsRefusedUntilItIsBack) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "a.mp4", "one video"));
  ClipIndex index{folder.path(), {ClipRecord()}, /*has_digests=*/true};
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

TEST(ContentCheck, PicturesThatCannotBeListedAreNotCalledReplaced) {
  const test::TempFolder folder;
  std::filesystem::create_directory(folder / "frames");
  ASSERT_TRUE(files::write_atomic(folder / "frames" / "1.png", "ab"));
  ClipIndex index{folder.path(), {ClipRecord()}, /*has_digests=*/true};
  index.clips[0].video = "frames";
  index.clips[0].content = content_digest(folder / "frames").value();
  ContentCheck check;
  {
    const test::ClosedFolder closed(folder, folder / "frames");
    EXPECT_EQ(check.check(index, 0).error().code, ErrorCode::Permission);
  }
  EXPECT_TRUE(check.check(index, 0));
}

TEST(ContentCheck, AnIndexWithoutDigestsPasses) {
  ClipIndex index{"/nowhere", {ClipRecord()}};
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

// Writes a file that was last changed at `time`.
void write_at(const fs::path& path, const std::string& bytes, fs::file_time_type time) {
  ASSERT_TRUE(files::write_atomic(path, bytes));
  fs::last_write_time(path, time);
}

TEST(SampledDigest, IsOfTheBytesAndNotOfThePlace) {
  const test::TempFolder folder;
  const auto time = fs::file_time_type::clock::now();
  std::string bytes(5 << 20, 'a');
  write_at(folder / "a.mp4", bytes, time);
  write_at(folder / "copy.mp4", bytes, time);
  const std::string whole = sampled_digest(folder / "a.mp4").value();
  EXPECT_EQ(sampled_digest(folder / "copy.mp4").value(), whole);

  bytes.front() = 'b';
  write_at(folder / "start.mp4", bytes, time);
  EXPECT_NE(sampled_digest(folder / "start.mp4").value(), whole);
  bytes.front() = 'a', bytes.back() = 'b';
  write_at(folder / "end.mp4", bytes, time);
  EXPECT_NE(sampled_digest(folder / "end.mp4").value(), whole);
  bytes.back() = 'a', bytes.push_back('a');
  write_at(folder / "longer.mp4", bytes, time);
  EXPECT_NE(sampled_digest(folder / "longer.mp4").value(), whole);
}

// It kept its name in the cache, and the latents of the footage that was there before.
TEST(SampledDigest, AFileThatIsChangedWhereNothingIsReadIsAnotherClip) {
  const test::TempFolder folder;
  const auto time = fs::file_time_type::clock::now();
  std::string bytes(5 << 20, 'a');
  write_at(folder / "a.mp4", bytes, time);
  const std::string before = sampled_digest(folder / "a.mp4").value();

  bytes[200'000] = 'b';  // places are 64 KiB every 338 KiB
  write_at(folder / "a.mp4", bytes, time + std::chrono::nanoseconds(1000));
  const std::string after = sampled_digest(folder / "a.mp4").value();

  EXPECT_NE(after, before);
  EXPECT_EQ(after.substr(0, after.find('.')), before.substr(0, before.find('.')));
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
  ASSERT_TRUE(files::write_atomic(folder / "frames" / "11.png", "another"));
  EXPECT_NE(sampled_digest(folder / "frames").value(), whole) << "it was one of those that were not read";
  ASSERT_TRUE(files::write_atomic(folder / "frames" / "11.png", "longer picture"));
  EXPECT_NE(sampled_digest(folder / "frames").value(), whole);
  EXPECT_EQ(sampled_digest(folder / "absent").error().code, ErrorCode::NotFound);
}

TEST(SampledDigest, OfAFolderSeesThatALargePictureIsAnother) {
  const test::TempFolder folder;
  const auto time = fs::file_time_type::clock::now();
  fs::create_directory(folder / "frames");
  std::string bytes(50'000, 'a');
  for (int i = 10; i < 50; ++i) write_at(folder / "frames" / (std::to_string(i) + ".png"), bytes, time);
  const std::string whole = sampled_digest(folder / "frames").value();

  fs::rename(folder / "frames", folder / "moved");
  EXPECT_EQ(sampled_digest(folder / "moved").value(), whole);
  write_at(folder / "moved" / "21.png", std::string(50'000, 'b'), time);
  EXPECT_NE(sampled_digest(folder / "moved").value(), whole) << "by its bytes";
  bytes.front() = 'b';
  write_at(folder / "moved" / "21.png", bytes, time + std::chrono::seconds(1));
  EXPECT_NE(sampled_digest(folder / "moved").value(), whole) << "by its time";
  bytes.front() = 'a';
  write_at(folder / "moved" / "21.png", bytes, time);
  EXPECT_EQ(sampled_digest(folder / "moved").value(), whole);
}

}  // namespace
}  // namespace zt::data
