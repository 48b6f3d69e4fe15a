// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/run_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kAnimation = ZT_SOURCE_DIR "/src/config/testdata/moore/configs/prompts/animation.yaml";

Trained walk(TrainJob job) { return {std::move(job), "walk", "run walk"}; }

Trained run_of(int64_t width, int64_t height) {
  TrainJob run;
  run.data.width = width;
  run.data.height = height;
  return walk(run);
}

/// Samples as the quickstart's networks do, and from other timesteps and betas than is usual.
Trained run_of_one_step() {
  TrainJob run;
  run.validation.steps = 1;
  run.validation.guidance_scale = 1;
  run.validation.same_noise_per_frame = true;
  run.validation.timestep_spacing = TimestepSpacing::Leading;
  run.validation.beta_schedule = SamplerBetas::Linear;
  run.validation.seed = 7;
  run.validation.num_clips = 5;
  run.validation.num_frames = 6;
  return walk(run);
}

template <class Job>
Resolved<Job> job_with(std::vector<std::string> sets) {
  return load<Job>({{}, std::move(sets)}).value();
}

TEST(RunSettings, SizeLeftOpenIsThatOfTheTraining) {
  auto resolved = job_with<GenerateJob>({});

  const auto lines = take_size(run_of(96, 64), resolved);

  ASSERT_TRUE(lines) << lines.error().text();
  EXPECT_THAT(*lines, ElementsAre("96x64, the size that walk was trained at (-W, -H: another)"));
  EXPECT_EQ(resolved.job.width, 96);
  EXPECT_EQ(resolved.job.height, 64);
  EXPECT_EQ(resolved.origins.at("height"), "run walk");
}

// 64 / 96 of 128 is 85.3, 96 / 64 of 131 is 196.5: the nearest even ones.
TEST(RunSettings, OfOneSideTheOtherIsInTheProportionOfTheTraining) {
  auto wide = job_with<GenerateJob>({"width=128"}), high = job_with<GenerateJob>({"height=131"});

  const auto lines = take_size(run_of(96, 64), wide);

  ASSERT_TRUE(lines) << lines.error().text();
  EXPECT_THAT(*lines, ElementsAre("128x86, the proportion that walk was trained at (-W, -H: another)"));
  EXPECT_EQ(wide.origins.at("width"), "--set");
  EXPECT_EQ(wide.origins.at("height"), "run walk");
  EXPECT_TRUE(take_size(run_of(96, 64), high));
  EXPECT_EQ(high.job.height, 131);
  EXPECT_EQ(high.job.width, 196);
}

TEST(RunSettings, AnOddSideInTheExactProportionStaysOdd) {
  auto square = job_with<GenerateJob>({"width=17"}), high = job_with<GenerateJob>({"height=130"});

  ASSERT_TRUE(take_size(run_of(32, 32), square));
  ASSERT_TRUE(take_size(run_of(96, 64), high));

  EXPECT_EQ(square.job.height, 17);
  EXPECT_EQ(high.job.width, 195);
}

TEST(RunSettings, OfBothSidesNothingIsTaken) {
  auto resolved = job_with<GenerateJob>({"width=32", "height=32"});

  EXPECT_THAT(take_size(run_of(96, 64), resolved).value(), IsEmpty());
  EXPECT_EQ(resolved.job.height, 32);
}

TEST(RunSettings, ASideOutOfRangeIsRefused) {
  auto resolved = job_with<GenerateJob>({"width=8192"});

  const auto lines = take_size(run_of(64, 128), resolved);

  ASSERT_FALSE(lines);
  EXPECT_EQ(lines.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(lines.error().message, HasSubstr("16384"));
}

template <class Job>
class SamplingOf : public testing::Test {};
using Samplers = testing::Types<GenerateJob, EvalJob>;
TYPED_TEST_SUITE(SamplingOf, Samplers);

template <class Job>
std::vector<std::string> needed() {
  if constexpr (std::is_same_v<Job, EvalJob>)
    return {"run=walk", "index=index.jsonl", "num_clips=2", "num_frames=3"};
  return {};
}

TYPED_TEST(SamplingOf, LeftOpenIsThatOfTheRunsValidation) {
  auto resolved = job_with<TypeParam>(needed<TypeParam>());
  const auto before = resolved;

  const auto lines = take_sampling(run_of_one_step(), resolved);

  ASSERT_TRUE(lines) << lines.error().text();
  EXPECT_THAT(*lines,
              ElementsAre("steps=1, guidance_scale=1, same_noise_per_frame=true, beta_schedule=linear, "
                          "timestep_spacing=leading, as walk samples in its validation"));
  EXPECT_EQ(resolved.job.steps, 1);
  EXPECT_EQ(resolved.job.guidance_scale, 1);
  EXPECT_TRUE(resolved.job.same_noise_per_frame);
  EXPECT_EQ(resolved.job.timestep_spacing, TimestepSpacing::Leading);
  EXPECT_EQ(resolved.job.beta_schedule, SamplerBetas::Linear);
  EXPECT_EQ(resolved.origins.at("steps"), "run walk");
  EXPECT_EQ(resolved.job.seed, before.job.seed);
  if constexpr (std::is_same_v<TypeParam, EvalJob>) {
    EXPECT_EQ(resolved.job.num_clips, 2);
    EXPECT_EQ(resolved.job.num_frames, 3);
  }
}

TYPED_TEST(SamplingOf, ThatSomebodyWroteCounts) {
  auto sets = needed<TypeParam>();
  sets.insert(sets.end(), {"steps=9", "guidance_scale=2", "same_noise_per_frame=false",
                           "timestep_spacing=trailing", "beta_schedule=as_trained"});
  auto resolved = job_with<TypeParam>(sets);

  const auto lines = take_sampling(run_of_one_step(), resolved);

  ASSERT_TRUE(lines) << lines.error().text();
  EXPECT_THAT(*lines, IsEmpty());
  EXPECT_EQ(resolved.job.steps, 9);
  EXPECT_EQ(resolved.job.timestep_spacing, TimestepSpacing::Trailing);
  EXPECT_EQ(resolved.origins.at("steps"), "--set");
}

// As scripts/pose2vid.py samples, and as inference_v2.yaml says.
TEST(RunSettings, SamplingOfTheReferenceCounts) {
  auto compat = job_with<GenerateJob>({"compat=moore"});
  auto file = load_many({kAnimation, {}}).value().front();

  EXPECT_THAT(take_sampling(run_of_one_step(), compat).value(), IsEmpty());
  EXPECT_TRUE(take_sampling(run_of_one_step(), file));

  EXPECT_EQ(compat.job.steps, 30);
  EXPECT_EQ(compat.job.guidance_scale, 3.5);
  EXPECT_EQ(file.job.timestep_spacing, TimestepSpacing::Trailing);
  EXPECT_EQ(file.job.beta_schedule, SamplerBetas::Linear);
  EXPECT_EQ(file.job.steps, 1) << "left open there";
}

TEST(RunSettings, NoiseIsOfTheScheduleOfTheTraining) {
  TrainJob run;
  run.schedule.prediction_type = PredictionType::Sample;
  run.schedule.enable_zero_snr = false;
  auto written = job_with<GenerateJob>({"schedule.enable_zero_snr=true"});

  const Status taken = take_schedule(walk(run), written);

  ASSERT_TRUE(taken) << taken.error().text();
  EXPECT_EQ(written.job.schedule.prediction_type, PredictionType::Sample);
  EXPECT_TRUE(written.job.schedule.enable_zero_snr);
  EXPECT_EQ(written.origins.at("schedule.prediction_type"), "run walk");
}

TEST(RunSettings, PosesAreDrawnAsInTheTraining) {
  TrainJob run;
  run.data.pose_style = PoseStyle::Puppet;
  run.data.draw_face = false;
  auto open = job_with<GenerateJob>({}), written = job_with<GenerateJob>({"draw_face=true"});

  const auto lines = take_drawing(walk(run), open);

  ASSERT_TRUE(lines) << lines.error().text();
  EXPECT_THAT(*lines, ElementsAre("pose_style=puppet, draw_face=false, as walk draws poses"));
  EXPECT_EQ(open.job.pose_style, PoseStyle::Puppet);
  EXPECT_FALSE(open.job.draw_face);
  EXPECT_TRUE(take_drawing(walk(run), written));
  EXPECT_EQ(written.job.pose_style, PoseStyle::Puppet);
  EXPECT_TRUE(written.job.draw_face);
}

}  // namespace
}  // namespace zt::config
