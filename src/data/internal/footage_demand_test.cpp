// SPDX-License-Identifier: Apache-2.0
#include "data/internal/footage_demand.hpp"

#include <gtest/gtest.h>

#include "image/file.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;

TEST(FootageDemand, IsThatOfTheLargestPicturesThatMeet) {
  const test::TempFolder folder;
  ASSERT_TRUE(
      media::write_video(folder / "a.mp4", test::drifting_clip(48, 32, 3), {.width = 48, .height = 32}));
  fs::create_directory(folder / "b");
  ASSERT_TRUE(image::write_png(folder / "b/0.png", image::Image(100, 80)));
  const std::vector<fs::path> videos = {folder / "a.mp4", folder / "b", folder / "missing.mp4"};

  const auto one = decoding_demand(extents_of(videos, 1));
  const auto many = decoding_demand(extents_of(videos, 8));

  EXPECT_EQ(one.bytes, 100U * 80 * 30);
  EXPECT_EQ(many.bytes, (100U * 80 + 48 * 32) * 30);
}

TEST(FootageDemand, OfASearchIsThatOfItsNetworksAndOfThePeopleItFollows) {
  const test::TempFolder folder;
  ASSERT_TRUE(
      media::write_video(folder / "a.mp4", test::drifting_clip(48, 32, 7), {.width = 48, .height = 32}));
  const std::vector<fs::path> videos(2, folder / "a.mp4");

  const auto demands = searching_demands(extents_of(videos, 2), /*num_people=*/1);

  ASSERT_EQ(demands.size(), 2U);
  EXPECT_EQ(demands[0].bytes, uint64_t{2} * 128 * 1024 * 1024);
  EXPECT_EQ(demands[1].bytes, 2U * 7 * 4 * 2048);  // one who is kept, three beside
}

}  // namespace
}  // namespace zt::data::internal
