// SPDX-License-Identifier: Apache-2.0
#include "image/image.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

namespace zt::image {
namespace {

// 0, 1, 2, ... row by row in one channel.
Image counted(int width, int height) {
  Image picture(width, height, 1);
  std::iota(picture.pixels.begin(), picture.pixels.end(), uint8_t{0});
  return picture;
}

TEST(Image, CropTakesTheNamedPart) {
  EXPECT_EQ(crop(counted(4, 3), 1, 1, 2, 2).pixels, (std::vector<uint8_t>{5, 6, 9, 10}));
  EXPECT_THROW(crop(counted(4, 3), 3, 0, 2, 2), std::invalid_argument);
  EXPECT_THROW(crop(counted(4, 3), 0, -1, 2, 2), std::invalid_argument);
}

TEST(Image, CenterCropRoundsDownAndPadsWithBlack) {
  EXPECT_EQ(center_crop(counted(5, 1), 2, 1).pixels, (std::vector<uint8_t>{1, 2}));
  EXPECT_EQ(center_crop(counted(2, 1), 5, 1).pixels, (std::vector<uint8_t>{0, 0, 0, 1, 0}));
}

TEST(Image, PasteCutsWhatFallsOutside) {
  Image canvas(3, 2, 1);

  paste(canvas, counted(3, 3), -1, -1);
  paste(canvas, counted(2, 2), 2'000'000'000, 0);

  EXPECT_EQ(canvas.pixels, (std::vector<uint8_t>{4, 5, 0, 7, 8, 0}));
  EXPECT_THROW(paste(canvas, Image(1, 1, 3), 0, 0), std::invalid_argument);
}

TEST(Image, OrientationsAreThoseOfExif) {
  // Stored 0 1 2 / 3 4 5; the expected pictures are what PIL's ImageOps.exif_transpose gives.
  const auto turned = [](int value) {
    return oriented(counted(3, 2), static_cast<Orientation>(value)).pixels;
  };

  EXPECT_EQ(turned(1), (std::vector<uint8_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(turned(2), (std::vector<uint8_t>{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(turned(3), (std::vector<uint8_t>{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(turned(4), (std::vector<uint8_t>{3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(turned(5), (std::vector<uint8_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(turned(6), (std::vector<uint8_t>{3, 0, 4, 1, 5, 2}));
  EXPECT_EQ(turned(7), (std::vector<uint8_t>{5, 2, 4, 1, 3, 0}));
  EXPECT_EQ(turned(8), (std::vector<uint8_t>{2, 5, 1, 4, 0, 3}));
}

TEST(Image, GridPadsEveryCellAndTheBorder) {
  const std::vector<Image> panels(3, filled(4, 2, kWhite));

  const Image row = hconcat(panels, 2);
  const Image two_rows = grid(panels, {.columns = 2, .padding = 1, .background = {9, 9, 9}});

  EXPECT_EQ(row.width, 3 * 4 + 8);  // the reference's three panels: 3W + 8 by H + 4
  EXPECT_EQ(row.height, 2 + 4);
  EXPECT_EQ(row.at(1, 2)[0], 0);
  EXPECT_EQ(row.at(2, 2)[0], 255);
  EXPECT_EQ(two_rows.width, 2 * 5 + 1);
  EXPECT_EQ(two_rows.height, 2 * 3 + 1);
  EXPECT_EQ(two_rows.at(6, 4)[0], 9);  // no fourth picture
  EXPECT_THROW(grid({}, {}), std::invalid_argument);
}

TEST(Image, RefusesSizesBelowOne) {
  EXPECT_THROW(Image(0, 4), std::invalid_argument);
  EXPECT_THROW(Image(4, -1), std::invalid_argument);
  EXPECT_THROW(Image(4, 4, 4), std::invalid_argument);
}

}  // namespace
}  // namespace zt::image
