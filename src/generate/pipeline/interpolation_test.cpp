// SPDX-License-Identifier: Apache-2.0
#include "generate/pipeline/interpolation.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace zt::generate {
namespace {

using config::InterpolationKind;

/// Two frames of one channel and two pixels.
at::Tensor two_frames(std::vector<float> first, std::vector<float> second) {
  return at::stack({at::tensor(first), at::tensor(second)}).reshape({1, 2, 1, 2});
}

TEST(Interpolation, CountsFramesAsTheReferenceDoes) {
  EXPECT_EQ(interpolated_frames(24, 1), 24);
  EXPECT_EQ(interpolated_frames(24, 2), 47);
  EXPECT_EQ(interpolated_frames(1, 4), 1);
}

TEST(Interpolation, MixesNeighboursLinearly) {
  const at::Tensor latents = two_frames({0, 4}, {3, 1});
  const auto mix = [&](int64_t i) {
    return interpolated_frame(latents, 3, InterpolationKind::Linear, i).flatten();
  };
  EXPECT_TRUE(mix(0).equal(at::tensor({0.0F, 4.0F})));
  EXPECT_TRUE(mix(1).allclose(at::tensor({1.0F, 3.0F})));
  EXPECT_TRUE(mix(2).allclose(at::tensor({2.0F, 2.0F})));
  EXPECT_TRUE(mix(3).equal(at::tensor({3.0F, 1.0F})));
}

// A quarter turn: half way lies at 45 degrees on the circle.
TEST(Interpolation, TurnsOnTheGreatCircle) {
  const float root = std::sqrt(0.5F);
  const at::Tensor half =
      interpolated_frame(two_frames({2, 0}, {0, 2}), 2, InterpolationKind::Slerp, 1).flatten();
  EXPECT_TRUE(half.allclose(at::tensor({2 * root, 2 * root})));
}

TEST(Interpolation, GoesStraightBetweenParallelOrEmptyLatents) {
  const at::Tensor parallel =
      interpolated_frame(two_frames({1, 1}, {3, 3}), 2, InterpolationKind::Slerp, 1).flatten();
  EXPECT_TRUE(parallel.allclose(at::tensor({2.0F, 2.0F})));
  const at::Tensor empty =
      interpolated_frame(two_frames({0, 0}, {2, 4}), 2, InterpolationKind::Slerp, 1).flatten();
  EXPECT_TRUE(empty.allclose(at::tensor({1.0F, 2.0F})));
}

}  // namespace
}  // namespace zt::generate
