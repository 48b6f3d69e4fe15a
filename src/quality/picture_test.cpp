// SPDX-License-Identifier: Apache-2.0
// Expected values: scikit-image, OpenCV, numpy (testdata/make_golden.py) and by hand.
#include "quality/picture.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "support/golden_image.hpp"

namespace zt::quality {
namespace {

using image::Image;

const test::Golden& golden() {
  static const test::Golden loaded(ZT_SOURCE_DIR "/src/quality/testdata/picture.golden");
  return loaded;
}
Image a() { return test::golden_image(golden(), "a"); }
Image b() { return test::golden_image(golden(), "b"); }
double wanted(const std::string& name) { return golden().values<double>(name).at(0); }

TEST(PictureQuality, EqualsSkimageAndDisco) {
  EXPECT_NEAR(ssim(a(), b()), wanted("ssim_luma"), 1e-9);
  EXPECT_NEAR(ssim_per_channel(a(), b()), wanted("ssim_rgb"), 1e-9);
  EXPECT_NEAR(ssim(a(), b(), SsimWindow::Uniform7), wanted("ssim_luma_uniform7"), 1e-9);
  EXPECT_NEAR(psnr(a(), b()), wanted("psnr"), 1e-9);
  EXPECT_NEAR(psnr_disco(a(), b()), wanted("psnr_disco"), 1e-9);
  EXPECT_NEAR(l1(a(), b()), wanted("l1"), 1e-12);
  EXPECT_TRUE(test::same_picture(luma(a()), test::golden_image(golden(), "luma_a")));
}

TEST(PictureQuality, DiscoWrapsDifferencesAndSquares) {
  // 10 - 26 = -16 is 240 in uint8, and 240^2 = 57600 is 0 there; the true squared error is 256.
  const Image low = image::filled(4, 4, {10, 10, 10}), high = image::filled(4, 4, {26, 26, 26});

  EXPECT_EQ(psnr_disco(low, high), 100);
  EXPECT_NEAR(psnr(low, high), 10 * std::log10(65025.0 / 256), 1e-12);
}

TEST(PictureQuality, EqualPicturesScoreFully) {
  EXPECT_EQ(psnr(a(), a()), 100);
  EXPECT_NEAR(ssim(a(), a()), 1, 1e-12);
  EXPECT_EQ(l1(a(), a()), 0);
}

TEST(PictureQuality, RefusesOtherSizes) {
  EXPECT_THROW(psnr(Image(4, 4), Image(4, 5)), std::invalid_argument);
  EXPECT_THROW(psnr(Image(), Image()), std::invalid_argument);
  EXPECT_THROW(ssim(Image(10, 20), Image(10, 20)), std::invalid_argument);
}

}  // namespace
}  // namespace zt::quality
