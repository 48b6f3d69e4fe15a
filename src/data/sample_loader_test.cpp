// SPDX-License-Identifier: Apache-2.0
#include "data/sample_loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>
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
class SampleLoaderTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<test::TempFolder>();
    index_ = test::write_clip_set(folder_->path(), 6, 12);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static LoaderOptions options_32() {
    LoaderOptions options;
    options.load.width = options.load.height = 32;
    return options;
  }
  static std::unique_ptr<SampleLoader> open(const ClipIndex& index, const PlanOptions& plan,
                                            const LoaderOptions& options, uint64_t first = 0,
                                            uint64_t stride = 1) {
    auto loader = SampleLoader::open(index, plan, options, first, stride);
    EXPECT_TRUE(loader) << loader.error().text();
    return *std::move(loader);
  }
  static Sample next(SampleLoader& loader) {
    auto sample = loader.next();
    EXPECT_TRUE(sample) << sample.error().text();
    return sample.value_or(Sample{});
  }
  /// The index with the videos of two clips gone.
  static ClipIndex with_two_broken() {
    ClipIndex index = index_;
    index.clips[1].video = "missing.mp4";
    index.clips[4].video = "clip-4.jsonl";
    return index;
  }

  static std::unique_ptr<test::TempFolder> folder_;
  static ClipIndex index_;
};
std::unique_ptr<test::TempFolder> SampleLoaderTest::folder_;
ClipIndex SampleLoaderTest::index_;

PlanOptions clips_of_4() {
  PlanOptions plan;
  plan.width = plan.height = 32;
  plan.num_frames = 4;
  plan.sample_rate = 2;
  return plan;
}

TEST_F(SampleLoaderTest, ASampleShowsThePlannedFrames) {
  LoadOptions options = options_32().load;
  options.pose = PoseSource::Video;
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

TEST_F(SampleLoaderTest, KeypointsAreDrawnAsTheCropSeesThem) {
  LoadOptions options = options_32().load;
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

TEST_F(SampleLoaderTest, AShotStartsAtItsFirstFrame) {
  ClipIndex index = index_;
  index.clips[0].first_frame = 5;
  index.clips[0].num_frames = 7;
  SamplePlan plan;
  plan.target_frames = {1};

  const auto shot = load_sample(index, plan, options_32().load);
  plan.target_frames = {6};
  plan.reference_frame = 5;
  const auto whole = load_sample(index_, plan, options_32().load);

  ASSERT_TRUE(shot && whole);
  EXPECT_EQ(shot->targets, whole->targets);
  EXPECT_EQ(shot->poses, whole->poses);
  EXPECT_EQ(shot->reference_whole, whole->reference_whole);
}

TEST_F(SampleLoaderTest, FoldersOfPicturesServeAsClipsAndMasks) {
  const test::TempFolder folder;
  std::filesystem::create_directory(folder / "frames");
  for (int t = 0; t < 12; ++t)
    ASSERT_TRUE(image::write_png(folder / ("frames/f" + std::to_string(t) + ".png"),
                                 test::drifting_frame(32, 32, t)));
  ClipIndex index = index_;
  index.root = folder.path();
  index.clips[0].video = index.clips[0].mask = "frames";
  LoadOptions options = options_32().load;
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

TEST_F(SampleLoaderTest, SamplesDoNotDependOnThreadsOrBounds) {
  LoaderOptions one = options_32(), many = options_32();
  one.num_threads = 1;
  one.prefetch = 1;
  many.num_threads = 4;
  many.prefetch = 7;
  many.max_decode_bytes = 1;  // every sample goes alone
  const auto a = open(with_two_broken(), clips_of_4(), one), b = open(with_two_broken(), clips_of_4(), many);

  for (int i = 0; i < 15; ++i) {
    const Sample x = next(*a), y = next(*b);
    EXPECT_EQ(x.plan.sample, static_cast<uint64_t>(i));
    EXPECT_EQ(x.plan.clip, y.plan.clip);
    EXPECT_EQ(x.reference, y.reference);
    EXPECT_EQ(x.targets, y.targets);
    EXPECT_EQ(x.poses, y.poses);
  }
}

TEST_F(SampleLoaderTest, GoesOnFromItsCursorAndServesRanks) {
  const auto all = open(index_, clips_of_4(), options_32());
  std::vector<Sample> samples;
  for (int i = 0; i < 7; ++i) samples.push_back(next(*all));

  const auto resumed = open(index_, clips_of_4(), options_32(), 4);
  const auto rank_1_of_3 = open(index_, clips_of_4(), options_32(), 1, 3);

  EXPECT_EQ(all->cursor(), 7U);
  EXPECT_EQ(next(*resumed).targets, samples[4].targets);
  EXPECT_EQ(next(*rank_1_of_3).targets, samples[1].targets);
  EXPECT_EQ(rank_1_of_3->cursor(), 4U);
  EXPECT_EQ(next(*rank_1_of_3).targets, samples[4].targets);
  EXPECT_EQ(all->stats().samples, 7U);
}

TEST_F(SampleLoaderTest, BrokenClipsAreReplacedAndNamedOnce) {
  const auto loader = open(with_two_broken(), clips_of_4(), options_32());

  for (int i = 0; i < 18; ++i) {
    const Sample sample = next(*loader);
    EXPECT_NE(sample.plan.clip, 1U);
    EXPECT_NE(sample.plan.clip, 4U);
  }

  const LoaderStats stats = loader->stats();
  EXPECT_GE(stats.replaced, 6U);  // two of six clips in three epochs
  ASSERT_EQ(stats.broken.size(), 2U);
  EXPECT_THAT(stats.broken[0], HasSubstr("clip-1: "));
  EXPECT_THAT(stats.broken[0], HasSubstr("missing.mp4"));
  EXPECT_THAT(stats.broken[1], HasSubstr("clip-4: "));
}

TEST_F(SampleLoaderTest, StrictTurnsABrokenClipIntoItsError) {
  ClipIndex index = index_;
  for (ClipRecord& clip : index.clips) clip.video = "missing.mp4";
  LoaderOptions strict = options_32();
  strict.strict = true;

  const auto refused = open(index, clips_of_4(), strict)->next();
  const auto exhausted = open(index, clips_of_4(), options_32())->next();

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::NotFound);
  EXPECT_THAT(refused.error().text(), HasSubstr("while loading sample 0 from clip clip-"));
  ASSERT_FALSE(exhausted);
  EXPECT_THAT(exhausted.error().text(), HasSubstr("after 8 replacements"));
}

TEST_F(SampleLoaderTest, ADeadlineEndsTheWait) {
  LoaderOptions options = options_32();
  options.deadline = std::chrono::milliseconds(0);
  const auto loader = open(index_, clips_of_4(), options);

  auto sample = loader->next();
  while (!sample) {
    ASSERT_EQ(sample.error().code, ErrorCode::Timeout);
    sample = loader->next();
  }

  EXPECT_EQ(sample->plan.sample, 0U);  // nothing was lost by timing out
}

}  // namespace
}  // namespace zt::data
