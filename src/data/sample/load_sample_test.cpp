// SPDX-License-Identifier: Apache-2.0
#include "data/sample/load_sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "image/file.hpp"
#include "image/image.hpp"
#include "image/resize.hpp"
#include "support/clip_set.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

using ::testing::HasSubstr;

/// Six clips of 32 x 32 pixels and 12 frames, written once.
class LoadSampleTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<test::TempFolder>();
    index_ = test::write_clip_set(folder_->path(), 6, 12);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static LoadSampleOptions options_32() {
    LoadSampleOptions options;
    options.width = options.height = 32;
    return options;
  }

  static std::unique_ptr<test::TempFolder> folder_;
  static ClipIndex index_;
};
std::unique_ptr<test::TempFolder> LoadSampleTest::folder_;
ClipIndex LoadSampleTest::index_;

SamplePlanOptions clips_of_4() {
  SamplePlanOptions plan;
  plan.width = plan.height = 32;
  plan.num_frames = 4;
  plan.sample_rate = 2;
  return plan;
}

TEST_F(LoadSampleTest, ASampleShowsThePlannedFrames) {
  LoadSampleOptions options = options_32();
  options.pose = PoseChoice::Video;
  options.parts.reference_pose = true;
  const auto plan = plan_sample(clips_of_4(), index_, 3);
  ASSERT_TRUE(plan);

  const auto sample = load_sample(index_, *plan, options);

  ASSERT_TRUE(sample) << sample.error().text();
  const int start = 40 * static_cast<int>(plan->clip);
  const auto source = [&](int64_t frame) {
    return test::drifting_frame(32, 32, start + static_cast<int>(frame));
  };
  const auto pose = [&](int64_t frame) {
    return image::resize(test::drifting_frame(16, 16, start + 7 + static_cast<int>(frame)), 32, 32,
                         image::Filter::Bilinear);
  };
  // H.264 at crf 4 with halved colour: above 36 dB; a neighbouring frame is below 34.
  EXPECT_GT(test::psnr_of(sample->reference, source(plan->reference_frame)), 36);
  EXPECT_GT(test::psnr_of(sample->reference_pose, pose(plan->reference_frame)), 30);
  ASSERT_EQ(sample->targets.size(), 4U);
  ASSERT_EQ(sample->poses.size(), 4U);
  for (size_t f = 0; f < 4; ++f) {
    EXPECT_GT(test::psnr_of(sample->targets[f], source(plan->target_frames[f])), 36);
    EXPECT_GT(test::psnr_of(sample->poses[f], pose(plan->target_frames[f])), 30);
  }
  EXPECT_TRUE(sample->masks.empty());
}

TEST_F(LoadSampleTest, KeypointsAreDrawnAsTheCropSeesThem) {
  LoadSampleOptions options = options_32();
  options.parts = {false, false, false, true, false, false};
  options.draw.style = PoseStyle::Puppet;
  SamplePlan plan;
  plan.target_frames = {2, 11};
  plan.pose_crop = {0, 0, 0.5, 1.0};

  const auto sample = load_sample(index_, plan, options);

  ASSERT_TRUE(sample) << sample.error().text();
  const KeypointClip keypoints = test::moving_keypoints(32, 32, 12);
  ASSERT_EQ(sample->poses.size(), 2U);
  for (const size_t i : {0U, 1U}) {
    Keypoints seen = keypoints.frames[static_cast<size_t>(plan.target_frames[i])];
    for (Keypoint& p : seen.people[0].body) p.x *= 2;  // half the width fills the picture
    EXPECT_EQ(sample->poses[i], draw_pose(seen, 32, 32, options.draw));
  }
  EXPECT_TRUE(sample->reference.empty());
}

TEST_F(LoadSampleTest, AShotStartsAtItsFirstFrame) {
  ClipIndex index = index_;
  index.clips[0].first_frame = 5;
  index.clips[0].num_frames = 7;
  SamplePlan plan;
  plan.target_frames = {1};

  const auto shot = load_sample(index, plan, options_32());
  plan.target_frames = {6};
  plan.reference_frame = 5;
  const auto whole = load_sample(index_, plan, options_32());

  ASSERT_TRUE(shot && whole);
  EXPECT_EQ(shot->targets, whole->targets);
  EXPECT_EQ(shot->poses, whole->poses);
  EXPECT_EQ(shot->reference_whole, whole->reference_whole);
}

TEST_F(LoadSampleTest, FoldersOfPicturesServeAsClipsAndMasks) {
  const test::TempFolder folder;
  std::filesystem::create_directory(folder / "frames");
  for (int t = 0; t < 12; ++t)
    ASSERT_TRUE(image::write_png(folder / ("frames/f" + std::to_string(t) + ".png"),
                                 test::drifting_frame(32, 32, t)));
  ClipIndex index = index_;
  index.root = folder.path();
  index.clips[0].video = index.clips[0].mask = "frames";
  LoadSampleOptions options = options_32();
  options.parts = {true, false, true, false, false, true};
  SamplePlan plan;
  plan.reference_frame = 2;
  plan.target_frames = {10, 9};

  const auto sample = load_sample(index, plan, options);

  ASSERT_TRUE(sample) << sample.error().text();
  EXPECT_EQ(sample->reference, test::drifting_frame(32, 32, 2));
  ASSERT_EQ(sample->targets.size(), 2U);
  EXPECT_EQ(sample->targets[0], test::drifting_frame(32, 32, 10));
  EXPECT_EQ(sample->targets[1], test::drifting_frame(32, 32, 9));
  ASSERT_EQ(sample->masks.size(), 2U);
  EXPECT_EQ(sample->masks[0].channels, 1);
  EXPECT_EQ(*sample->masks[0].at(3, 4), *sample->targets[0].at(3, 4));
}

TEST_F(LoadSampleTest, ASampleLargerThanTheBudgetIsLoadedAlone) {
  const auto plan = plan_sample(clips_of_4(), index_, 3);
  LoadSampleOptions tight = options_32();
  tight.budget = std::make_shared<DecodeBudget>(1);

  const auto sample = load_sample(index_, *plan, tight), unbounded = load_sample(index_, *plan, options_32());

  ASSERT_TRUE(sample && unbounded);
  EXPECT_EQ(sample->targets, unbounded->targets);
}

TEST_F(LoadSampleTest, ErrorsNameClipAndFile) {
  ClipIndex index = index_;
  index.clips[0].video = "missing.mp4";
  index.clips[1].keypoints = index.clips[1].pose_video = "";
  SamplePlan plan;
  plan.target_frames = {0};

  const auto missing = load_sample(index, plan, options_32());
  plan.clip = 1;
  const auto without_pose = load_sample(index, plan, options_32());

  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  EXPECT_THAT(missing.error().text(), HasSubstr("missing.mp4"));
  EXPECT_THAT(missing.error().text(), HasSubstr("while loading sample 0 from clip clip-0"));
  ASSERT_FALSE(without_pose);
  EXPECT_EQ(without_pose.error().code, ErrorCode::InvalidArgument);
}

TEST_F(LoadSampleTest, AClipShorterThanTheIndexSaysIsDamaged) {
  ClipIndex index = index_;
  index.clips[0].num_frames = 100;
  SamplePlan plan;
  plan.target_frames = {50};

  const auto sample = load_sample(index, plan, options_32());

  ASSERT_FALSE(sample);
  EXPECT_EQ(sample.error().code, ErrorCode::Corrupt);
}

}  // namespace
}  // namespace zt::data
