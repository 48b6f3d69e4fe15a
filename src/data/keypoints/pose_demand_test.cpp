// SPDX-License-Identifier: Apache-2.0
#include "data/keypoints/pose_demand.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

TEST(PoseDemand, IsCountedFromTheFramesOfTheVideos) {
  const test::TempFolder folder;
  std::vector<std::filesystem::path> videos;
  for (int i = 0; i < 40; ++i) {
    videos.push_back(folder / (std::to_string(i) + ".mp4"));
    if (i == 0)
      ASSERT_TRUE(media::write_video(videos[0], test::drifting_clip(48, 32, 6), {.width = 48, .height = 32}));
    else
      std::filesystem::copy_file(videos[0], videos.back());
  }

  // 40 videos of 6 frames, 3 KiB for each of two people, and 48 x 32 / 8 bytes of preview.
  EXPECT_EQ(pose_demand(videos, 2, false).bytes, 40U * 6 * 2 * 3072);
  EXPECT_EQ(pose_demand(videos, 2, true).bytes, 40U * 6 * (2 * 3072 + 48 * 32 / 8));
}

TEST(PoseDemand, CountsNothingOfWhatCannotBeOpened) {
  const std::vector<std::filesystem::path> videos = {"/nowhere/a.mp4"};
  EXPECT_EQ(pose_demand(videos, 1, true).bytes, 0U);
}

}  // namespace
}  // namespace zt::data
