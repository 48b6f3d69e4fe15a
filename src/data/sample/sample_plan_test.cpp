// SPDX-License-Identifier: Apache-2.0
#include "data/sample/sample_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <utility>
#include <vector>

namespace zt::data {
namespace {

ClipIndex clips_of_length(const std::vector<int64_t>& lengths) {
  ClipIndex index;
  for (const int64_t length : lengths) {
    ClipRecord clip;
    clip.id = "clip-" + std::to_string(index.clips.size());
    clip.num_frames = length;
    clip.width = 720;
    clip.height = 940;
    clip.pose_width = 512;
    clip.pose_height = 640;
    clip.fps_num = 24;
    index.clips.push_back(clip);
  }
  return index;
}

SamplePlan planned(const SamplePlanOptions& options, const ClipIndex& index, uint64_t sample,
                   uint32_t attempt = 0) {
  auto plan = plan_sample(options, index, sample, attempt);
  EXPECT_TRUE(plan) << plan.error().text();
  return plan.value_or(SamplePlan{});
}

TEST(SamplePlan, EveryEpochShowsEveryClipOnceInAnotherOrder) {
  const ClipIndex index = clips_of_length(std::vector<int64_t>(23, 10));
  const SamplePlanOptions options{};
  constexpr uint64_t kSize = 23;

  std::vector<std::vector<size_t>> orders;
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<size_t> seen;
    orders.emplace_back();
    for (uint64_t i = 0; i < kSize; ++i) {
      const SamplePlan plan = planned(options, index, epoch * kSize + i);
      EXPECT_EQ(plan.epoch, epoch);
      seen.insert(plan.clip);
      orders.back().push_back(plan.clip);
    }
    EXPECT_EQ(seen.size(), kSize);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_NE(orders[1], orders[2]);
}

TEST(SamplePlan, PermutedIsAPermutationOfAnySize) {
  for (const uint64_t size : {1U, 2U, 3U, 4U, 5U, 16U, 17U, 100U, 1000U}) {
    std::set<uint64_t> images;
    for (uint64_t i = 0; i < size; ++i) images.insert(permuted(i, size, 42));
    EXPECT_EQ(images.size(), size);
    EXPECT_LT(*images.rbegin(), size);
  }
  constexpr uint64_t kHuge = ~uint64_t{0} - 5;
  EXPECT_LT(permuted(kHuge - 1, kHuge, 1), kHuge);
}

TEST(SamplePlan, PermutedPutsEveryElementEverywhere) {
  constexpr uint64_t kSize = 7, kKeys = 7000;
  std::vector<std::vector<int>> counts(kSize, std::vector<int>(kSize));
  for (uint64_t key = 0; key < kKeys; ++key)
    for (uint64_t i = 0; i < kSize; ++i) ++counts[i][permuted(i, kSize, key * 0x9E3779B97F4A7C15)];

  // Binomial with mean 1000 and deviation 29: 5 deviations.
  for (const auto& row : counts)
    for (const int count : row) EXPECT_NEAR(count, 1000, 146);
}

TEST(SamplePlan, ClipFramesAreThoseOfNumpy) {  // numpy.linspace(start, start + length - 1, count).astype(int)
  EXPECT_EQ(clip_frames(100, 3, 5, 2), (std::vector<int64_t>{3, 5, 7, 9, 11}));
  EXPECT_EQ(clip_frames(10, 0, 4, 3), (std::vector<int64_t>{0, 3, 6, 9}));
  EXPECT_EQ(clip_frames(5, 0, 8, 4), (std::vector<int64_t>{0, 0, 1, 1, 2, 2, 3, 4}));
  EXPECT_EQ(clip_frames(16, 0, 10, 4), (std::vector<int64_t>{0, 1, 3, 5, 6, 8, 10, 11, 13, 15}));
  EXPECT_EQ(clip_frames(120, 7, 24, 4).back(), 99);
  EXPECT_EQ(clip_frames(9, 4, 1, 4), (std::vector<int64_t>{4}));
}

TEST(SamplePlan, Stage1TargetIsAMarginAwayWhereItCanBe) {
  const ClipIndex index = clips_of_length({100});
  SamplePlanOptions options;  // margin 30

  std::set<int64_t> references;
  for (uint64_t sample = 0; sample < 2000; ++sample) {
    const SamplePlan plan = planned(options, index, sample);
    ASSERT_EQ(plan.target_frames.size(), 1U);
    EXPECT_GE(std::abs(plan.target_frames[0] - plan.reference_frame), 30);
    EXPECT_GE(plan.target_frames[0], 0);
    EXPECT_LT(plan.target_frames[0], 100);
    references.insert(plan.reference_frame);
  }
  EXPECT_EQ(references.size(), 100U);
}

TEST(SamplePlan, Stage1TakesAnyTargetOfAClipShorterThanTheMargin) {
  const ClipIndex index = clips_of_length({16});
  std::set<int64_t> targets;

  for (uint64_t sample = 0; sample < 1000; ++sample)
    targets.insert(planned({}, index, sample).target_frames[0]);

  EXPECT_EQ(targets.size(), 16U);
  EXPECT_EQ(*targets.rbegin(), 15);
}

TEST(SamplePlan, DependsOnSeedAndNumberOnly) {
  const ClipIndex index = clips_of_length(std::vector<int64_t>(50, 90));
  SamplePlanOptions options;
  options.crop = {0.5, 1.0, 0.9, 1.1};

  const SamplePlan first = planned(options, index, 17);
  const SamplePlan again = planned(options, index, 17);
  options.seed = 1;
  const SamplePlan other = planned(options, index, 17);

  EXPECT_EQ(first.clip, again.clip);
  EXPECT_EQ(first.target_frames, again.target_frames);
  EXPECT_EQ(first.crop, again.crop);
  EXPECT_NE(first.crop, other.crop);
}

TEST(SamplePlan, ReplacementsAreOtherClipsAndDifferPerAttempt) {
  const ClipIndex index = clips_of_length(std::vector<int64_t>(1000, 90));
  const size_t broken = planned({}, index, 3).clip;
  std::set<size_t> clips;

  for (uint32_t attempt = 1; attempt <= 8; ++attempt) clips.insert(planned({}, index, 3, attempt).clip);

  EXPECT_FALSE(clips.contains(broken));
  EXPECT_GE(clips.size(), 7U);
  EXPECT_EQ(planned({}, clips_of_length({9}), 3, 1).clip, 0U);
}

// A portrait source and its pose video, both taller than the ratio allows, so that the crop is the centred
// fallback; worked out by hand from torchvision's get_params.
TEST(SamplePlan, PerStreamCropsPoseAndVideoDifferently) {
  SamplePlanOptions options;
  options.crop_mode = CropMode::PerStream;
  options.crop = {1.0, 1.0, 0.9, 1.0};

  const SamplePlan plan = planned(options, clips_of_length({50}), 0);

  EXPECT_EQ(plan.crop, normalise({70, 0, 800, 720}, 720, 940));
  EXPECT_EQ(plan.pose_crop, normalise({35, 0, 569, 512}, 512, 640));
}

TEST(SamplePlan, SharedCropHasTheShapeOfTheTrainingSize) {
  SamplePlanOptions options;
  options.width = 96;
  options.height = 64;
  options.crop = {0.2, 0.4, 0.9, 1.0};

  for (uint64_t sample = 0; sample < 200; ++sample) {
    const SamplePlan plan = planned(options, clips_of_length({50}), sample);
    const double width_px = (plan.crop.right - plan.crop.left) * 720,
                 height_px = (plan.crop.bottom - plan.crop.top) * 940;
    EXPECT_NEAR(width_px / height_px / 1.5, 0.95, 0.054);  // half a pixel of rounding on either side
    EXPECT_EQ(plan.pose_crop, plan.crop);
  }
}

TEST(SamplePlan, CropVariantsAreTheSameForEverySeed) {
  SamplePlanOptions options;
  options.crop = {.scale_min = 0.3, .scale_max = 0.6};
  options.crop_variants = 3;
  std::set<std::pair<double, double>> corners;

  for (options.seed = 0; options.seed < 4; ++options.seed) {
    for (uint64_t sample = 0; sample < 50; ++sample) {
      const SamplePlan plan = planned(options, clips_of_length({10, 10}), sample);
      corners.insert({plan.crop.left, plan.crop.top});
      EXPECT_EQ(plan.pose_crop, plan.crop);
    }
  }

  EXPECT_EQ(corners.size(), 3U);
}

TEST(SamplePlan, WholeTakesThePictureAsItIs) {
  SamplePlanOptions options;
  options.crop_mode = CropMode::Whole;
  options.crop = {0.2, 0.4, 0.9, 1.0};

  EXPECT_EQ(planned(options, clips_of_length({50}), 4).crop, NormBox{});
}

TEST(SamplePlan, RefusesWhatCanNotBe) {
  const ClipIndex index = clips_of_length({50});
  std::vector<SamplePlanOptions> wrong(5);
  wrong[0].num_frames = 0;
  wrong[1].sample_rate = 0;
  wrong[2].crop = {0.5, 1.5, 1, 1};
  wrong[3].crop = {1, 1, 1, 0.5};
  wrong[4].margin = -1;

  for (const SamplePlanOptions& options : wrong) {
    const auto plan = plan_sample(options, index, 0);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, ErrorCode::InvalidArgument);
  }
  EXPECT_FALSE(plan_sample({}, ClipIndex{}, 0));
}

}  // namespace
}  // namespace zt::data
