// SPDX-License-Identifier: Apache-2.0
// Expected canvases: OpenCV 4 (testdata/make_golden.py).
#include "image/draw.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "support/golden_image.hpp"

namespace zt::image {
namespace {

void draw_shape(Image& canvas, std::span<const int32_t, 7> shape) {
  const auto grey = static_cast<uint8_t>(shape[6]);
  const Rgb colour{grey, grey, grey};
  const Point first{shape[1], shape[2]};
  if (shape[0] == 0) fill_circle(canvas, first, shape[3], colour);
  if (shape[0] == 1 || shape[0] == 3) line(canvas, first, {shape[3], shape[4]}, colour, shape[5]);
  if (shape[0] == 2) fill_ellipse_poly(canvas, first, shape[3], shape[4], shape[5], colour);
}

TEST(Draw, CirclesLinesAndEllipsesEqualOpenCv) {
  const test::Golden golden(ZT_SOURCE_DIR "/src/image/testdata/draw.golden");
  for (int sheet = 0; sheet <= 12; ++sheet) {
    const std::string name = std::to_string(sheet);
    const auto shapes = golden.values<int32_t>(name + ".shapes");
    Image canvas(72, 60, 1);

    for (size_t i = 0; i < shapes.size(); i += 7)
      draw_shape(canvas, std::span<const int32_t, 7>(&shapes[i], 7));

    EXPECT_TRUE(test::same_picture(canvas, test::golden_image(golden, name + ".canvas"))) << "sheet " << name;
  }
}

TEST(Draw, ColoursReachAllThreeChannels) {
  Image canvas(5, 5);

  fill_circle(canvas, {2, 2}, 0, {10, 20, 30});

  const uint8_t* center = canvas.at(2, 2);
  EXPECT_EQ((Rgb{center[0], center[1], center[2]}), (Rgb{10, 20, 30}));
  EXPECT_EQ(std::count(canvas.pixels.begin(), canvas.pixels.end(), 0), 72);
}

TEST(Draw, FarAwayCornersAreQuickAndDoNotReachTheCanvas) {
  Image canvas(8, 8);
  const Point away[] = {{-2'000'000'000, -2'000'000'000}, {-1'900'000'000, -2'000'000'000}, {-5, 3}};

  fill_convex_poly(canvas, away, kWhite);
  line(canvas, {-1'000'000'000, -1'000'000'000}, {-900'000'000, -1'000'000'000}, kWhite, 5);

  EXPECT_TRUE(std::all_of(canvas.pixels.begin(), canvas.pixels.end(), [](uint8_t v) { return v == 0; }));
}

TEST(Draw, ARectangleCoversItsPixelsOnly) {
  Image canvas(6, 5, 1);

  fill_rectangle(canvas, {1, 1}, 3, 2, kWhite);

  EXPECT_EQ(std::count(canvas.pixels.begin(), canvas.pixels.end(), 255), 6);
  EXPECT_EQ(canvas.at(3, 2)[0], 255);
  EXPECT_EQ(canvas.at(4, 2)[0], 0);
}

TEST(Draw, TextIsReadableAndScales) {
  Image small(18, 8, 1), large(36, 16, 1);

  text(small, {0, 0}, "Tj\x80", kWhite);
  text(large, {0, 0}, "Tj\x80", kWhite, 2);

  const std::string_view wanted =  // T, j with its tail, ? for the unknown byte
      "#####    #   ###  "
      "  #         #   # "
      "  #     ##      # "
      "  #      #     #  "
      "  #      #    #   "
      "  #      #        "
      "  #   #  #    #   "
      "       ##         ";
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 18; ++x) {
      EXPECT_EQ(small.at(x, y)[0] ? '#' : ' ', wanted[static_cast<size_t>(18 * y + x)]) << x << ", " << y;
      EXPECT_EQ(large.at(2 * x + 1, 2 * y + 1)[0], small.at(x, y)[0]);
    }
  }
}

TEST(Draw, RefusesImpossibleSizes) {
  Image canvas(4, 4);

  EXPECT_THROW(fill_circle(canvas, {0, 0}, -1, kWhite), std::invalid_argument);
  EXPECT_THROW(line(canvas, {0, 0}, {1, 1}, kWhite, 0), std::invalid_argument);
  EXPECT_THROW(text(canvas, {0, 0}, "a", kWhite, 0), std::invalid_argument);
}

}  // namespace
}  // namespace zt::image
