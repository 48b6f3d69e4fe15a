// SPDX-License-Identifier: Apache-2.0
// Masks, motion, joints and whole clips, on pictures small enough to compute by hand.
#include "quality/score.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "image/draw.hpp"
#include "quality/foreground.hpp"
#include "quality/motion.hpp"

namespace zt::quality {
namespace {

using image::filled;
using image::Image;

// One row of grey pixels.
Image row(std::vector<uint8_t> values) {
  Image picture(static_cast<int>(values.size()), 1, 1);
  picture.pixels = std::move(values);
  return picture;
}

TEST(Foreground, IsWhatDiffersByMoreThanTheThresholdInOneChannel) {
  const Image background = filled(3, 1, {100, 100, 100});
  Image picture = background;
  picture.at(0, 0)[1] = 125;  // 25: not more
  picture.at(1, 0)[2] = 126;
  picture.at(2, 0)[0] = 70;

  EXPECT_EQ(foreground_mask(picture, background, 25).pixels, (std::vector<uint8_t>{0, 255, 255}));
}

TEST(Foreground, IouCountsHalfCoveredPixels) {
  EXPECT_DOUBLE_EQ(mask_iou(row({255, 128, 127, 0}), row({255, 0, 255, 0})), 1.0 / 3);
  EXPECT_EQ(mask_iou(row({0, 0}), row({0, 0})), 1);
}

TEST(Foreground, PsnrSeesOnlyTheMask) {
  const Image truth = row({10, 20, 30}), picture = row({200, 24, 30});

  EXPECT_NEAR(*foreground_psnr(picture, truth, row({0, 255, 255})), 10 * std::log10(65025.0 / 8), 1e-12);
  EXPECT_FALSE(foreground_psnr(picture, truth, row({0, 0, 0})));
}

TEST(Motion, FlickerIsTheChangeOfStillBackground) {
  // Background in both frames: pixels 0 and 3; their changes are 2 and 6.
  const std::vector<Image> frames{row({10, 50, 90, 30}), row({12, 90, 10, 24})};
  const std::vector<Image> masks{row({0, 255, 0, 0}), row({0, 0, 255, 0})};

  EXPECT_DOUBLE_EQ(*flicker(frames, masks), 4);
  EXPECT_FALSE(flicker(std::span(frames).first(1), std::span(masks).first(1)));
}

TEST(Motion, TemporalErrorIgnoresConstantErrors) {
  const std::vector<Image> truth{row({10, 50, 90}), row({10, 80, 70})};
  const std::vector<Image> masks{row({0, 255, 0}), row({0, 0, 255})};
  const std::vector<Image> shifted{row({0, 60, 100}), row({99, 90, 80})};
  const std::vector<Image> still{truth[0], truth[0]};

  EXPECT_DOUBLE_EQ(*temporal_error(shifted, truth, masks), 0);
  EXPECT_DOUBLE_EQ(*temporal_error(still, truth, masks), (30 + 20) / 2.0);
}

TEST(Joints, DistanceIsBetweenTheTwoPlacesFound) {
  const image::Rgb hand{220, 40, 40};
  const std::vector<ColouredJoint> joints{{10, 10, hand}, {30, 10, {40, 220, 40}}, {20, 25, {40, 40, 220}}};
  Image truth(40, 32), picture(40, 32);
  image::fill_circle(truth, {10, 10}, 2, hand);
  image::fill_circle(picture, {13, 14}, 2, {200, 60, 30});     // 5 px away, colour a bit off
  image::fill_circle(truth, {30, 10}, 2, joints[1].colour);    // missing in the picture
  image::fill_circle(picture, {20, 25}, 2, joints[2].colour);  // hidden in the truth

  const auto error = pose_error(picture, truth, joints, {.radius_px = 9});

  EXPECT_EQ(error.found, 1);
  EXPECT_EQ(error.missed, 1);
  EXPECT_EQ(error.hidden, 1);
  EXPECT_NEAR(error.mean_px, (5 + 9) / 2.0, 1e-9);
  EXPECT_FALSE(find_joint(truth, {1e9, -1e9, hand}, {}));
}

// A square that moves to the right over a still background, and its mask.
struct Clip {
  std::vector<Image> frames, masks;
  std::vector<std::vector<ColouredJoint>> joints;
};
Clip moving_square(int offset_x) {
  Clip clip;
  for (int t = 0; t < 3; ++t) {
    clip.frames.push_back(filled(32, 24, {90, 90, 90}));
    clip.masks.emplace_back(32, 24, 1);
    image::fill_rectangle(clip.frames.back(), {5 + 2 * t + offset_x, 8}, 8, 8, {200, 30, 30});
    image::fill_rectangle(clip.masks.back(), {5 + 2 * t + offset_x, 8}, 8, 8, image::kWhite);
    clip.joints.push_back({{8.5 + 2 * t, 11.5, {200, 30, 30}}});
  }
  return clip;
}

TEST(Score, ATrueClipScoresFully) {
  const Clip clip = moving_square(0);

  const auto scores = score_clip({.generated = clip.frames,
                                  .truth = clip.frames,
                                  .truth_masks = clip.masks,
                                  .background = StillBackground{filled(32, 24, {90, 90, 90}), 25},
                                  .joints = clip.joints});

  ASSERT_TRUE(scores) << scores.error().text();
  EXPECT_EQ(*(*scores)[Metric::Psnr], 100);
  EXPECT_NEAR(*(*scores)[Metric::Ssim], 1, 1e-12);
  EXPECT_EQ(*(*scores)[Metric::MaskIou], 1);
  EXPECT_EQ(*(*scores)[Metric::Flicker], 0);
  EXPECT_EQ(*(*scores)[Metric::TemporalError], 0);
  EXPECT_EQ(*(*scores)[Metric::PoseError], 0);
}

TEST(Score, AShiftedClipLosesWhatGeometrySays) {
  const Clip truth = moving_square(0), shifted = moving_square(2);

  const auto scores = score_clip({.generated = shifted.frames,
                                  .truth = truth.frames,
                                  .truth_masks = truth.masks,
                                  .background = StillBackground{filled(32, 24, {90, 90, 90}), 25}});

  ASSERT_TRUE(scores);
  EXPECT_DOUBLE_EQ(*(*scores)[Metric::MaskIou], 48.0 / 80);  // 6 of 10 columns
  // A quarter of the square shows the background: error (110, 60, 60).
  EXPECT_NEAR(*(*scores)[Metric::ForegroundPsnr],
              10 * std::log10(65025.0 / ((12100 + 3600 + 3600) / 3.0 / 4)), 1e-9);
  EXPECT_FALSE((*scores)[Metric::PoseError]);
}

TEST(Score, SummaryAndComparisonPairTheClips) {
  const Clip truth = moving_square(0), shifted = moving_square(2);
  const ClipScores good = score_clip({.generated = truth.frames, .truth = truth.frames}).value();
  const ClipScores bad = score_clip({.generated = shifted.frames, .truth = truth.frames}).value();

  const auto table = summarize(std::vector{good, bad});
  const Interval gain = compare(std::vector{good, good}, std::vector{bad, bad}, Metric::Psnr);

  ASSERT_EQ(table.size(), 5U);  // no masks, no joints
  EXPECT_EQ(table[0].metric, Metric::Psnr);
  EXPECT_DOUBLE_EQ(table[0].interval.mean, (100 + *bad[Metric::Psnr]) / 2);
  EXPECT_GT(gain.low, 0);
}

TEST(Score, MetricRowsStandInTheirOrder) {
  for (size_t i = 0; i < metric_infos().size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(metric_infos()[i].metric), i);
    EXPECT_FALSE(metric_infos()[i].convention.empty());
  }
}

TEST(Score, ClipsThatDoNotFitAreErrors) {
  const Clip clip = moving_square(0);
  const std::vector<Image> small(3, Image(16, 16));

  EXPECT_FALSE(score_clip({}));
  EXPECT_THAT(
      score_clip({.generated = std::span(clip.frames).first(2), .truth = clip.frames}).error().message,
      ::testing::HasSubstr("2 generated frames, 3 true ones"));
  EXPECT_THAT(score_clip({.generated = small, .truth = clip.frames}).error().message,
              ::testing::HasSubstr("frame 0 is 16 x 16 instead of 32 x 24"));
  EXPECT_FALSE(score_clip({.generated = clip.frames, .truth = clip.frames, .truth_masks = small}));
}

}  // namespace
}  // namespace zt::quality
