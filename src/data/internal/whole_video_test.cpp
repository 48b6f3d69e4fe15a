// SPDX-License-Identifier: Apache-2.0
#include "data/internal/whole_video.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/counter_rng.hpp"
#include "base/files/files.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kFrames = 20;

class RequireEnd : public ::testing::Test {
 protected:
  // A film of some 100 KB, its index before its pictures in an mp4.
  fs::path film(const std::string& name) {
    EXPECT_TRUE(media::write_video(folder_ / name, test::drifting_clip(320, 240, kFrames),
                                   {.width = 320, .height = 240, .crf = 4}));
    return folder_ / name;
  }
  static std::string bytes_of(const fs::path& path) { return files::read(path).value(); }

  test::TempFolder folder_;
};

TEST_F(RequireEnd, IsThereInWholeFiles) {
  for (const char* name : {"a.mp4", "a.mov", "a.avi", "a.mkv"}) {
    const Status end = require_end(film(name), kFrames);
    EXPECT_TRUE(end) << name << ": " << end.error().text();
  }
}

TEST_F(RequireEnd, IsMissedInCutOnes) {
  for (const char* name : {"a.mp4", "a.mov", "a.avi"}) {
    const fs::path path = film(name);
    const uint64_t whole = fs::file_size(path);
    for (const uint64_t size : {whole - 2, whole * 6 / 10}) {
      fs::resize_file(path, size);
      const Status end = require_end(path, kFrames);
      ASSERT_FALSE(end) << name << " of " << size;
      EXPECT_EQ(end.error().code, ErrorCode::Corrupt);
      EXPECT_THAT(end.error().message, HasSubstr("ends early"));
    }
  }
}

TEST_F(RequireEnd, IsMissedWhereADownloadLeftZeros) {
  for (const char* name : {"a.mp4", "a.avi"}) {
    const fs::path path = film(name);
    std::string bytes = bytes_of(path);
    ASSERT_GT(bytes.size(), 60'000U);
    std::fill(bytes.end() - 30'000, bytes.end(), '\0');
    ASSERT_TRUE(files::write_atomic(path, bytes));

    const Status end = require_end(path, kFrames);

    ASSERT_FALSE(end) << name;
    EXPECT_EQ(end.error().code, ErrorCode::Corrupt);
    EXPECT_THAT(end.error().message, HasSubstr("ends in zeros"));
  }
}

TEST_F(RequireEnd, IsThereWhateverFollowsTheFilm) {
  const fs::path path = film("a.mp4");
  const std::string film_bytes = bytes_of(path);
  const std::string free_box = std::string("\0\0\x20\0free", 8) + std::string(8184, '\0');
  for (const std::string& more : {free_box, std::string(5000, '\0'), std::string(100, '\xff')}) {
    ASSERT_TRUE(files::write_atomic(path, film_bytes + more));

    const Status end = require_end(path, kFrames);

    EXPECT_TRUE(end) << end.error().text();
  }
}

TEST_F(RequireEnd, HostileBytesAreReadToAnEnd) {
  CounterRng rng(1, 2, 3);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    for (const char* word : {"ftyp", "mdat", "moof", "RIFF", "AVI "}) {
      for (int i = 0; i < 4; ++i) bytes += static_cast<char>(rng.below(i < 3 ? 2 : 256));
      bytes += word;
    }
    if (round % 2 == 1) bytes = bytes.substr(bytes.find("RIFF"));
    ASSERT_TRUE(files::write_atomic(folder_ / "x", bytes));
    (void)require_end(folder_ / "x", 1);
  }
  const std::string start = std::string("\0\0\0\x08", 4) + "ftyp" + std::string("\0\0\0\x01", 4) + "mdat";
  ASSERT_TRUE(files::write_atomic(folder_ / "endless", start + std::string(8, '\xff')));
  EXPECT_FALSE(require_end(folder_ / "endless", 1));
  EXPECT_EQ(require_end(folder_ / "absent", 1).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace zt::data::internal
