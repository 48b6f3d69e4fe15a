// SPDX-License-Identifier: Apache-2.0
// Expected numbers: transformers' CLIPImageProcessor (fixture j_clip, see testdata/make_golden.py).
#include "image/clip_input.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "image/resize.hpp"
#include "support/golden_image.hpp"

namespace zt::image {
namespace {

const test::Golden& golden() {
  static const test::Golden loaded(ZT_SOURCE_DIR "/src/image/testdata/pipelines.golden");
  return loaded;
}

double from_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double size = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

// Mean and standard deviation (torch's: sample) over all numbers.
std::pair<double, double> mean_and_std(const std::vector<float>& numbers) {
  const double n = static_cast<double>(numbers.size());
  const double mean = std::accumulate(numbers.begin(), numbers.end(), 0.0) / n;
  double sum = 0;
  for (const float x : numbers) sum += (x - mean) * (x - mean);
  return {mean, std::sqrt(sum / (n - 1))};
}

TEST(ClipInput, EqualsClipImageProcessorOnTheRawPicture) {
  const auto wanted = golden().values<uint16_t>("clip.shortest_rows");  // (3, 75, 224), rows 0, 3, 6, ...

  const std::vector<float> found = clip_input(test::golden_image(golden(), "clip.source"));

  ASSERT_EQ(found.size(), 3U * 224 * 224);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const size_t channel = i / (75 * 224), row = i / 224 % 75 * 3, column = i % 224;
    const double value = from_half(wanted[i]);
    // One step of half precision at this size.
    const double step = std::ldexp(1.0, std::max(-14, std::ilogb(value == 0 ? 1e-9 : value)) - 10);
    ASSERT_NEAR(found[(channel * 224 + row) * 224 + column], value, step) << i;
  }
  const auto wanted_moments = golden().values<float>("clip.shortest_mean_std");
  EXPECT_NEAR(mean_and_std(found).first, wanted_moments[0], 1.8e-6);
  EXPECT_NEAR(mean_and_std(found).second, wanted_moments[1], 1.8e-6);
}

TEST(ClipInput, SquashedPictureEqualsPil) {
  const Image source = test::golden_image(golden(), "clip.source");
  const auto wanted = golden().values<uint8_t>("clip.squashed_rows");

  const Image found = resize(source, 224, 224, Filter::Bicubic);

  for (size_t i = 0; i < wanted.size(); ++i) {
    const size_t row = i / (224 * 3) * 3, rest = i % (224 * 3);
    ASSERT_EQ(found.pixels[row * 224 * 3 + rest], wanted[i]) << i;
  }
  const auto [mean, deviation] = mean_and_std(clip_input(source, {.fit = ClipFit::Squash}));
  const auto wanted_moments = golden().values<float>("clip.squashed_mean_std");
  EXPECT_NEAR(mean, wanted_moments[0], 1.8e-6);
  EXPECT_NEAR(deviation, wanted_moments[1], 1.8e-6);
}

}  // namespace
}  // namespace zt::image
