// SPDX-License-Identifier: Apache-2.0
// Expected numbers: spec/animate-anyone.md section 10; the fixture m_transforms, made by torchvision itself;
// and torchvision's get_params retyped in Python over torch's generator (MT19937) for seeds 0..4.
#include "data/crop.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

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

TEST(Crop, NormalisesToTheShareOfThePicture) {
  EXPECT_EQ(normalise({10, 20, 50, 100}, 200, 100), (NormBox{0.1, 0.1, 0.6, 0.6}));
}

}  // namespace
}  // namespace zt::data
