// SPDX-License-Identifier: Apache-2.0
// Expected pictures: Pillow (testdata/make_golden.py).
#include "image/resize.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

#include "support/golden_image.hpp"

namespace zt::image {
namespace {

using test::golden_image;
using test::same_picture;

const test::Golden& golden() {
  static const test::Golden loaded(ZT_SOURCE_DIR "/src/image/testdata/resize.golden");
  return loaded;
}

Filter filter_named(const std::string& name) {
  if (name == "nearest") return Filter::Nearest;
  if (name == "bilinear") return Filter::Bilinear;
  return name == "bicubic" ? Filter::Bicubic : Filter::Lanczos;
}

// Names are "full.SOURCE.FILTER.W.H" and "box.SOURCE.FILTER.INDEX".
std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts;
  std::istringstream stream(name);
  for (std::string part; std::getline(stream, part, '.');) parts.push_back(part);
  return parts;
}

TEST(Resize, EqualsPillowForEveryFilterUpAndDown) {
  int compared = 0;
  for (const std::string& name : golden().names()) {
    const auto parts = parts_of(name);
    if (parts[0] != "full") continue;
    const Image wanted = golden_image(golden(), name);

    const Image found = resize(golden_image(golden(), "source." + parts[1]), wanted.width, wanted.height,
                               filter_named(parts[2]));

    EXPECT_TRUE(same_picture(found, wanted)) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 3 * 4 * 7);
}

TEST(Resize, EqualsPillowForFractionalBoxes) {
  const auto edges = golden().values<double>("boxes");
  int compared = 0;
  for (const std::string& name : golden().names()) {
    const auto parts = parts_of(name);
    if (parts[0] != "box") continue;
    const size_t i = 4 * std::stoul(parts[3]);

    const Image found =
        resize_box(golden_image(golden(), "source." + parts[1]),
                   {edges[i], edges[i + 1], edges[i + 2], edges[i + 3]}, 13, 17, filter_named(parts[2]));

    EXPECT_TRUE(same_picture(found, golden_image(golden(), name))) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 3 * 4 * 3);
}

TEST(Resize, KeepsAPictureOfTheSameSize) {
  const Image source = golden_image(golden(), "source.noise");

  EXPECT_EQ(resize(source, source.width, source.height, Filter::Lanczos), source);
}

TEST(Resize, ShortestEdgeRoundsTheLongerDown) {
  EXPECT_EQ(resize_shortest_edge(Image(110, 150), 224, Filter::Bilinear).height,
            305);  // 224 * 150 / 110 = 305.45
  EXPECT_EQ(resize_shortest_edge(Image(150, 110), 224, Filter::Bilinear).width, 305);
}

TEST(Resize, RefusesBoxesOutsideThePicture) {
  const Image source(10, 10);

  EXPECT_THROW(resize_box(source, {-1, 0, 5, 5}, 4, 4, Filter::Bilinear), std::invalid_argument);
  EXPECT_THROW(resize_box(source, {0, 0, 10.5, 5}, 4, 4, Filter::Bilinear), std::invalid_argument);
  EXPECT_THROW(resize_box(source, {3, 0, 3, 5}, 4, 4, Filter::Bilinear), std::invalid_argument);
  EXPECT_THROW(resize(source, 0, 4, Filter::Bilinear), std::invalid_argument);
  EXPECT_THROW(resize(Image(), 4, 4, Filter::Bilinear), std::invalid_argument);
}

TEST(Resize, CropThenResizeEqualsTorchvisionsResizedCrop) {
  const test::Golden pipelines(ZT_SOURCE_DIR "/src/image/testdata/pipelines.golden");
  const auto crop_box = pipelines.values<int64_t>("crop.top_left_height_width");
  const auto wanted = pipelines.values<float>("crop.result");  // CHW in [-1, 1]

  const Image part =
      crop(golden_image(pipelines, "crop.source"), static_cast<int>(crop_box[1]),
           static_cast<int>(crop_box[0]), static_cast<int>(crop_box[3]), static_cast<int>(crop_box[2]));
  const Image found = resize(part, 64, 64, Filter::Bilinear);

  for (size_t i = 0; i < wanted.size(); ++i) {
    const size_t channel = i / (64 * 64), pixel = i % (64 * 64);
    ASSERT_NEAR(found.pixels[3 * pixel + channel] / 255.0 * 2 - 1, wanted[i], 1e-6) << i;
  }
}

}  // namespace
}  // namespace zt::image
