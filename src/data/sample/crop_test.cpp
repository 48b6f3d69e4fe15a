// SPDX-License-Identifier: Apache-2.0
// Expected numbers: worked out by hand; the fixture m_transforms, made by torchvision itself; and
// torchvision's get_params retyped in Python over torch's generator (MT19937) for seeds 0..4.
#include "data/sample/crop.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "image/image.hpp"
#include "image/resize.hpp"
#include "support/clips.hpp"
#include "support/golden_image.hpp"

namespace zt::data {
namespace {

// torch.manual_seed(seed), then empty(1).uniform_(a, b) and randint(0, n, (1,)) on the CPU.
CropDraws torch_draws(std::mt19937& generator) {
  return {[&](double low, double high) {
            const auto bits = static_cast<float>(generator() & 0xFFFFFF);
            const auto from = static_cast<float>(low), to = static_cast<float>(high);
            return static_cast<double>(bits * 0x1.0p-24F * (to - from) + from);
          },
          [&](int64_t bound) { return static_cast<int64_t>(generator() % static_cast<uint64_t>(bound)); }};
}

CropDraws no_draws_expected_to_matter() {
  return {[](double low, double) { return low; }, [](int64_t) { return int64_t{0}; }};
}

TEST(Crop, FallsBackToTheCentredRegionOfThePortraitExample) {
  const CropRule rule{1.0, 1.0, 0.9, 1.0};

  const PixelCrop video = random_resized_crop(720, 940, rule, no_draws_expected_to_matter());
  const PixelCrop pose = random_resized_crop(512, 640, rule, no_draws_expected_to_matter());

  EXPECT_EQ(video, (PixelCrop{70, 0, 800, 720}));
  EXPECT_EQ(pose, (PixelCrop{35, 0, 569, 512}));
}

TEST(Crop, EqualsTorchvisionForAPictureTooTallForItsRatio) {
  std::mt19937 generator(1234 + 100);  // the fixture's seed S + 100 + i, i = 0; all eight rows are the same

  EXPECT_EQ(random_resized_crop(72, 94, {0.9, 1.0, 0.9, 1.0}, torch_draws(generator)),
            (PixelCrop{7, 0, 80, 72}));
}

TEST(Crop, EqualsTorchvisionDrawByDraw) {
  const std::vector<PixelCrop> expected = {
      {17, 0, 152, 177}, {31, 13, 149, 170}, {1, 0, 176, 165}, {7, 48, 151, 120}, {7, 17, 165, 170}};

  for (uint32_t seed = 0; seed < expected.size(); ++seed) {
    std::mt19937 generator(seed);
    EXPECT_EQ(random_resized_crop(200, 180, {0.5, 1.0, 0.75, 4.0 / 3.0}, torch_draws(generator)),
              expected[seed])
        << "seed " << seed;
  }
}

TEST(Crop, WideAndFittingPicturesFallBackToo) {
  const CropRule rule{1.0, 1.0, 0.9, 1.0};

  EXPECT_EQ(random_resized_crop(300, 200, rule, no_draws_expected_to_matter()), (PixelCrop{0, 50, 200, 200}));
  EXPECT_EQ(random_resized_crop(64, 64, {1, 1, 1, 1}, no_draws_expected_to_matter()),
            (PixelCrop{0, 0, 64, 64}));
}

// torchvision's fallback rounds 64 x 32 / 8192 to no row, which is no picture.
TEST(Crop, FallsBackToAPixelAtLeast) {
  const double wide = 8192.0 / 32;
  EXPECT_EQ(random_resized_crop(64, 64, {1, 1, wide, wide}, no_draws_expected_to_matter()),
            (PixelCrop{31, 0, 1, 64}));
  EXPECT_EQ(random_resized_crop(64, 64, {1, 1, 1 / wide, 1 / wide}, no_draws_expected_to_matter()),
            (PixelCrop{0, 31, 64, 1}));
}

TEST(Crop, NormalisesToTheShareOfThePicture) {
  EXPECT_EQ(normalise({10, 20, 50, 100}, 200, 100), (NormBox{0.1, 0.1, 0.6, 0.6}));
}

// The transforms of the reference's data set class, on a portrait picture and on its pose picture, which is
// smaller.
TEST(Crop, PicturesEqualThoseOfTheReference) {
  const test::Golden golden(ZT_SOURCE_DIR "/src/data/testdata/crop.golden");
  const image::Image video = test::golden_image(golden, "video"), pose = test::golden_image(golden, "pose");
  const auto region = [&](const std::string& name) {
    const auto tlhw = golden.values<int64_t>(name);
    return normalise({tlhw[0], tlhw[1], tlhw[2], tlhw[3]}, video.width, video.height);
  };

  EXPECT_TRUE(test::same_picture(crop_picture(video, region("video_crop"), 64, 64),
                                 test::golden_image(golden, "video_cropped")));
  EXPECT_TRUE(test::same_picture(crop_picture(video, region("video_crop_scale1"), 64, 64),
                                 test::golden_image(golden, "video_cropped_scale1")));
  std::mt19937 generator(1234 + 77);  // the fixture's state before each transform
  const PixelCrop drawn =
      random_resized_crop(pose.width, pose.height, {0.9, 1.0, 0.9, 1.0}, torch_draws(generator));
  EXPECT_TRUE(test::same_picture(crop_picture(pose, normalise(drawn, pose.width, pose.height), 64, 64),
                                 test::golden_image(golden, "pose_cropped")));
}

TEST(Crop, StreamsOfDifferentSizesShowTheSameRegion) {
  const NormBox region = normalise({7, 3, 40, 50}, 96, 96);  // no whole pixels of the smaller picture
  const image::Image large = test::drifting_frame(96, 96, 0), small = test::drifting_frame(64, 64, 0);

  EXPECT_GT(test::psnr_of(crop_picture(large, region, 32, 32), crop_picture(small, region, 32, 32)), 40);
}

}  // namespace
}  // namespace zt::data
