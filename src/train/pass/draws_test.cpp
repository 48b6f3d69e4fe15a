// SPDX-License-Identifier: Apache-2.0
#include "train/pass/draws.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace zt::train {
namespace {

TEST(Draws, DropAboutTheAskedShareOfSamples) {
  config::ConditionJob condition;
  condition.uncond_ratio = 0.1;
  int dropped = 0;
  for (uint64_t sample = 0; sample < 10'000; ++sample) dropped += draw_dropout(condition, {7, sample});

  // Binomial: sd = sqrt(10000 * .1 * .9) = 30.
  EXPECT_NEAR(dropped, 1000, 120);
  condition.uncond_ratio = 0;
  EXPECT_FALSE(draw_dropout(condition, {7, 1}));
}

TEST(Draws, TimestepsCoverTheRange) {
  config::ScheduleJob schedule;
  double sum = 0;
  for (uint64_t sample = 0; sample < 4000; ++sample) {
    const int64_t t = draw_timestep(schedule, {7, sample});
    ASSERT_GE(t, 0);
    ASSERT_LT(t, 1000);
    sum += static_cast<double>(t);
  }
  // Uniform on 0..999: mean 499.5, sd of the mean 289 / sqrt(4000) = 4.6.
  EXPECT_NEAR(sum / 4000, 499.5, 20);
}

TEST(Draws, NoiseOffsetIsSharedByFramesAndSpace) {
  const at::Tensor plain = draw_noise({2, 3, 4, 4}, 0, {7, 5});
  const at::Tensor offset = draw_noise({2, 3, 4, 4}, 0.5, {7, 5}) - plain;

  EXPECT_LT((offset - offset.mean({1, 2, 3}, true)).abs().max().item<double>(), 1e-6);
  EXPECT_GT((offset[0].mean() - offset[1].mean()).abs().item<double>(), 1e-3);
}

TEST(Draws, LatentsAreDrawnFromTheirPosterior) {
  const prepare::PictureMoments moments{at::full({1, 64, 64}, 3.0F), at::full({1, 64, 64}, std::log(4.0F))};
  const at::Tensor target = draw_latent(moments, 0.5, LatentRole::Target, 0, {7, 5});

  // Mean 3, sd 2, times 0.5; 4096 values: sd of the mean 1 / 64.
  EXPECT_NEAR(target.mean().item<double>(), 1.5, 0.08);
  EXPECT_NEAR(target.std().item<double>(), 1.0, 0.06);
  EXPECT_FALSE(at::equal(target, draw_latent(moments, 0.5, LatentRole::Target, 1, {7, 5})));
  EXPECT_FALSE(at::equal(target, draw_latent(moments, 0.5, LatentRole::Reference, 0, {7, 5})));
  EXPECT_FALSE(at::equal(target, draw_latent(moments, 0.5, LatentRole::Target, 0, {7, 6})));
  EXPECT_TRUE(at::equal(target, draw_latent(moments, 0.5, LatentRole::Target, 0, {7, 5})));
}

}  // namespace
}  // namespace zt::train
