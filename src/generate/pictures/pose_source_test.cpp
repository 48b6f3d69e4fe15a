// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/pose_source.hpp"

#include <gtest/gtest.h>

#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/pipes.hpp"
#include "support/temp_folder.hpp"

namespace zt::generate {
namespace {

TEST(PoseSource, APipeIsRefusedAtOnce) {
  const test::TempFolder folder;
  const std::filesystem::path pipe = test::make_pipe(folder / "pose.mp4");
  Error error;

  EXPECT_TRUE(test::comes_back(pipe, [&] { error = PoseSource::open(pipe, {}).error(); }));

  EXPECT_EQ(error.code, ErrorCode::InvalidArgument);
  EXPECT_NE(error.message.find("pose.mp4 is not a regular file"), std::string::npos) << error.message;
}

// It gave a shorter clip, or "64 frames wanted, but the poses have 31".
TEST(PoseSource, AVideoCutShortIsRefused) {
  const test::TempFolder folder;
  const std::filesystem::path path = folder / "pose.mp4";
  ASSERT_TRUE(media::write_video(path, test::drifting_clip(64, 48, 20), {.width = 64, .height = 48}));
  ASSERT_TRUE(PoseSource::open(path, {}));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) * 6 / 10);

  const auto source = PoseSource::open(path, {});

  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code, ErrorCode::Corrupt);
  EXPECT_NE(source.error().message.find("pose.mp4 ends early"), std::string::npos) << source.error().message;
}

}  // namespace
}  // namespace zt::generate
