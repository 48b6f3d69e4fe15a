// SPDX-License-Identifier: Apache-2.0
// Expected values are worked out by hand.
#include "data/pose/blazepose/region.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace zt::data {
namespace {

constexpr double kRight = std::numbers::pi / 2;

image::Image numbered(int width, int height) {
  image::Image picture(width, height);
  for (size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<uint8_t>(i);
  return picture;
}

TEST(RegionAround, IsTwoAndAHalfRadiiWideAndUprightWhenTheRimIsAbove) {
  const Region region = region_around({100, 100}, {100, 60});

  EXPECT_DOUBLE_EQ(region.side, 100);
  EXPECT_DOUBLE_EQ(region.angle, 0);
}

TEST(RegionAround, TurnsSoThatTheRimLiesStraightAbove) {
  const Region lying = region_around({100, 100}, {140, 100});

  EXPECT_DOUBLE_EQ(lying.angle, kRight);
  const PicturePoint above = to_picture(lying, 0.5, 0.1);
  EXPECT_NEAR(above.x, 140, 1e-9);
  EXPECT_NEAR(above.y, 100, 1e-9);
}

TEST(ToPicture, MapsTheCornersOfATurnedSquare) {
  const Region region{{10, 20}, 8, kRight};

  const PicturePoint top_left = to_picture(region, 0, 0), bottom_left = to_picture(region, 0, 1);

  EXPECT_NEAR(top_left.x, 14, 1e-9);
  EXPECT_NEAR(top_left.y, 16, 1e-9);
  EXPECT_NEAR(bottom_left.x, 6, 1e-9);
  EXPECT_NEAR(bottom_left.y, 16, 1e-9);
}

TEST(PictureParts, CoverAPictureWithHalfOverlappingSquares) {
  const auto parts = picture_parts(8, 4);

  ASSERT_EQ(parts.size(), 7U * 3U);
  EXPECT_EQ(parts.front().centre, (PicturePoint{1, 1}));
  EXPECT_EQ(parts.back().centre, (PicturePoint{7, 3}));
  EXPECT_EQ(parts.back().side, 2);
}

TEST(SampleRegion, GivesThePixelsThemselvesAtTheirOwnSize) {
  const image::Image picture = numbered(4, 4);

  const auto values = sample_region(picture, whole_picture(4, 4), 4, Border::Black, 0, 255);

  ASSERT_EQ(values.size(), picture.pixels.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], picture.pixels[i], 1e-3);
}

TEST(SampleRegion, TurnsThePictureAgainstTheRegionsTurn) {
  const image::Image picture = numbered(2, 2);

  const auto values = sample_region(picture, {{1, 1}, 2, kRight}, 2, Border::Black, 0, 255);

  // The region's top left corner is the picture's top right pixel, its top right the bottom right one.
  EXPECT_NEAR(values[0], picture.at(1, 0)[0], 1e-3);
  EXPECT_NEAR(values[3], picture.at(1, 1)[0], 1e-3);
}

TEST(SampleRegion, AveragesBlocksWhenItShrinks) {
  const image::Image picture = numbered(4, 4);

  const auto values = sample_region(picture, whole_picture(4, 4), 2, Border::Black, 0, 255);

  const double mean =
      (picture.at(0, 0)[0] + picture.at(1, 0)[0] + picture.at(0, 1)[0] + picture.at(1, 1)[0]) / 4.0;
  EXPECT_NEAR(values[0], mean, 1e-3);
}

TEST(SampleRegion, MapsBlackAndWhiteToTheBoundsAndKnowsBothBorders) {
  const image::Image white = image::filled(2, 2, image::kWhite);
  const Region around{{1, 1}, 8, 0};

  const auto black_border = sample_region(white, around, 8, Border::Black, -1, 1);
  const auto repeated = sample_region(white, around, 8, Border::Repeat, -1, 1);

  EXPECT_FLOAT_EQ(black_border[0], -1);
  EXPECT_FLOAT_EQ(repeated[0], 1);
  EXPECT_FLOAT_EQ(black_border[(3 * 8 + 3) * 3], 1);
}

TEST(SampleRegion, AcceptsARegionFarOutsideThePicture) {
  const auto values = sample_region(numbered(2, 2), {{1e12, -1e12}, 4, 0}, 2, Border::Black, 0, 1);

  EXPECT_FLOAT_EQ(values[0], 0);
}

}  // namespace
}  // namespace zt::data
