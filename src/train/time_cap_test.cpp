// SPDX-License-Identifier: Apache-2.0
#include "train/time_cap.hpp"

#include <gtest/gtest.h>

namespace zt::train {
namespace {

constexpr TimeCap kCap{.cap_s = 100, .decay_start = 0.6};

TEST(TimeCap, DoesNothingWhenTheRunFits) {
  // 60 steps done in 60 s, 40 left and 40 s left.
  EXPECT_FALSE(plan_early_decay(kCap, {.step = 60, .total_steps = 100, .elapsed_s = 60, .step_s = 1}));
  EXPECT_FALSE(plan_early_decay({}, {.step = 60, .total_steps = 1000, .elapsed_s = 60, .step_s = 1}));
}

TEST(TimeCap, WaitsForItsShareOfTheTime) {
  EXPECT_FALSE(plan_early_decay(kCap, {.step = 59, .total_steps = 1000, .elapsed_s = 59, .step_s = 1}));
}

TEST(TimeCap, DecaysOverTheStepsThatStillFit) {
  const auto decay = plan_early_decay(kCap, {.step = 30, .total_steps = 100, .elapsed_s = 60, .step_s = 2});

  ASSERT_TRUE(decay);
  EXPECT_EQ(decay->start, 30);
  EXPECT_EQ(decay->end, 50);  // 40 s / 2 s
}

TEST(TimeCap, LeavesOneStepWhenTheTimeIsUp) {
  const auto decay = plan_early_decay(kCap, {.step = 30, .total_steps = 100, .elapsed_s = 200, .step_s = 2});

  ASSERT_TRUE(decay);
  EXPECT_EQ(decay->end, 31);
  EXPECT_TRUE(is_over(kCap, 100));
  EXPECT_FALSE(is_over(kCap, 99.9));
  EXPECT_FALSE(is_over({}, 1e9));
}

}  // namespace
}  // namespace zt::train
