// SPDX-License-Identifier: Apache-2.0
// Rules between fields: each refusal names the keys that collide.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "config/load.hpp"
#include "config/meaning/idle_settings.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::HasSubstr;

template <class Job>
std::string refusal(std::vector<std::string> sets) {
  const auto result = load<Job>({{}, std::move(sets)});
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
  return result.error().message;
}

TEST(Validate, DefaultsOfEveryJobThatNeedsNoInputPass) {
  EXPECT_EQ(refusal<TrainJob>({}), "accepted");
  EXPECT_EQ(refusal<GenerateJob>({}), "accepted");
  EXPECT_EQ(refusal<SynthJob>({}), "accepted");
  EXPECT_EQ(refusal<CacheJob>({}), "accepted");
}

TEST(Validate, GroupsMustDivideChannels) {
  const auto message = refusal<TrainJob>({"model.unet.block_out_channels=64,80"});

  EXPECT_THAT(message, HasSubstr("model.unet.norm_num_groups (32)"));
  EXPECT_THAT(message, HasSubstr("80 is not a multiple"));
}

TEST(Validate, InlineSizesDoNotCountBesideAFile) {
  EXPECT_EQ(refusal<TrainJob>({"model.unet.block_out_channels=64,80", "model.base_model_path=sd15"}),
            "accepted");
}

TEST(Validate, HeadsMustDivideChannels) {
  EXPECT_THAT(refusal<TrainJob>({"model.unet.num_heads=7"}), HasSubstr("model.unet.num_heads (7)"));
  EXPECT_THAT(refusal<TrainJob>({"model.motion.num_heads=7", "stage=2"}),
              HasSubstr("model.motion.num_heads (7)"));
  EXPECT_EQ(refusal<TrainJob>({"model.motion.num_heads=7"}), "accepted") << "stage 1 has no motion modules";
}

TEST(Validate, LevelsMustBeThere) {
  EXPECT_THAT(refusal<TrainJob>({"model.unet.attention_levels=0,4"}),
              HasSubstr("attention_levels names level 4"));
  EXPECT_THAT(refusal<TrainJob>({"model.motion.levels=9", "stage=2"}),
              HasSubstr("motion.levels names level 9"));
}

TEST(Validate, EncoderPatchesMustFillThePicture) {
  EXPECT_THAT(refusal<TrainJob>({"model.image_encoder.patch_size=15"}),
              HasSubstr("patch_size (15) must divide"));
}

TEST(Validate, LinearCodecHasNoMoreChannelsThanPixels) {
  EXPECT_THAT(
      refusal<TrainJob>({"model.codec.kind=linear", "model.codec.patch=2", "model.codec.latent_channels=13"}),
      HasSubstr("latent_channels (13)"));
}

TEST(Validate, PosePictureShrinksLikeTheLatents) {
  const auto message = refusal<TrainJob>({"model.pose_guider.block_out_channels=16,32,64"});
  EXPECT_THAT(message, HasSubstr("3 stages and makes the pose picture 4 times smaller"));
  EXPECT_THAT(message, HasSubstr("latents 8 times smaller"));
  EXPECT_EQ(refusal<TrainJob>({"model.pose_guider.block_out_channels=16,32,64", "model.codec.kind=linear",
                               "model.codec.patch=4"}),
            "accepted");
  EXPECT_EQ(refusal<TrainJob>({"model.pose_guider.block_out_channels=16,32,64", "model.vae_model_path=vae"}),
            "accepted");
}

TEST(Validate, PicturesAreWholeLatents) {
  EXPECT_THAT(refusal<TrainJob>({"data.width=50"}), HasSubstr("(50 x 512) must be multiples of 8"));
  EXPECT_THAT(refusal<CacheJob>({"data.height=70"}), HasSubstr("(512 x 70) must be multiples of 8"));
}

TEST(Validate, StageTwoStartsOnlyOnce) {
  EXPECT_THAT(refusal<TrainJob>({"stage=2", "model.stage1_run=a", "model.stage1_ckpt_dir=b"}),
              HasSubstr("exclude each other"));
  EXPECT_THAT(refusal<TrainJob>({"model.stage1_run=a"}), HasSubstr("are for stage: 2"));
}

TEST(Validate, StageTwoDoesNotTrainOnRandomNetworks) {
  EXPECT_THAT(
      refusal<TrainJob>({"stage=2"}),
      HasSubstr("set model.stage1_run or model.stage1_ckpt_dir, or else model.reference_unet_path and "
                "model.denoising_unet_path and model.pose_guider_path"));
  EXPECT_THAT(
      refusal<TrainJob>({"stage=2", "model.base_model_path=sd15", "model.controlnet_openpose_path=a"}),
      HasSubstr("or else model.pose_guider_path ("));
  EXPECT_EQ(refusal<TrainJob>({"stage=2", "model.stage1_run=a"}), "accepted");
  EXPECT_EQ(refusal<TrainJob>({"stage=2", "model.stage1_ckpt_dir=a"}), "accepted");
  EXPECT_EQ(refusal<TrainJob>({"stage=2", "model.base_model_path=sd15", "model.pose_guider_path=a"}),
            "accepted");
  EXPECT_EQ(refusal<TrainJob>({"stage=2", "model.allow_random_start=true"}), "accepted");
}

TEST(Validate, ClipsFitThePositionEncoding) {
  EXPECT_THAT(refusal<TrainJob>({"stage=2", "model.stage1_run=a", "data.n_sample_frames=33"}),
              HasSubstr("data.n_sample_frames (33) is longer than model.motion.max_len (32)"));
}

TEST(Validate, PureNoiseGivesNoEpsilonTarget) {
  EXPECT_THAT(refusal<TrainJob>({"schedule.prediction_type=epsilon"}), HasSubstr("enable_zero_snr"));
  EXPECT_EQ(refusal<TrainJob>({"schedule.prediction_type=epsilon", "schedule.enable_zero_snr=no"}),
            "accepted");
}

TEST(Validate, RangesAreInOrder) {
  EXPECT_THAT(refusal<TrainJob>({"data.crop_scale=1,0.5"}),
              HasSubstr("data.crop_scale must be [least, greatest]"));
  EXPECT_THAT(refusal<TrainJob>({"schedule.beta_start=0.5"}), HasSubstr("beta_start <= schedule.beta_end"));
}

TEST(Validate, NamesAndDevicesAreWellFormed) {
  EXPECT_THAT(refusal<TrainJob>({"name=../x"}), HasSubstr("name: wanted up to 80 letters"));
  EXPECT_THAT(refusal<TrainJob>({"name="}), HasSubstr("name: wanted up to 80 letters"));
  EXPECT_THAT(refusal<TrainJob>({"device=gpu"}), HasSubstr("wanted cpu, cuda or cuda:N"));
  EXPECT_THAT(refusal<TrainJob>({"device=cuda:"}), HasSubstr("wanted cpu, cuda or cuda:N"));
  EXPECT_EQ(refusal<TrainJob>({"device=cuda:1"}), "accepted");
}

TEST(Validate, PiecewiseConstantNeedsItsRules) {
  EXPECT_THAT(refusal<TrainJob>({"optimizer.lr_scheduler=piecewise_constant"}), HasSubstr("lr_step_rules"));
  const std::string piecewise = "optimizer.lr_scheduler=piecewise_constant";
  EXPECT_THAT(refusal<TrainJob>({piecewise, "optimizer.lr_step_rules=1:10,foo:20,0.1"}),
              HasSubstr("--set optimizer.lr_step_rules=1:10,foo:20,0.1: optimizer.lr_step_rules: step rule "
                        "'foo:20' is not factor:step"));
  EXPECT_EQ(refusal<TrainJob>({piecewise, "optimizer.lr_step_rules=1:10,0.1:20,0.01"}), "accepted");
}

TEST(Validate, AVideoHasARateThatPlayersKnow) {
  EXPECT_THAT(refusal<GenerateJob>({"fps=0.0001"}),
              HasSubstr("fps: wanted 0 (the pose video's own rate) or 0.1"));
  EXPECT_EQ(refusal<GenerateJob>({"fps=0.1"}), "accepted");
  EXPECT_EQ(refusal<GenerateJob>({"fps=0"}), "accepted");
}

TEST(Validate, GenerateTakesOneSourceOfWeights) {
  EXPECT_THAT(refusal<GenerateJob>({"run=a", "weights=b"}), HasSubstr("exclude each other"));
  EXPECT_THAT(refusal<GenerateJob>({"context.overlap=24"}), HasSubstr("context.overlap (24)"));
}

TEST(Validate, PuppetsHaveEvenSidesAndTrainingClips) {
  EXPECT_THAT(refusal<SynthJob>({"width=65"}), HasSubstr("must be even"));
  EXPECT_THAT(refusal<SynthJob>({"num_train=0"}), HasSubstr("num_train must not be 0"));
}

TEST(Validate, EvalJudgesARunOrResults) {
  EXPECT_THAT(refusal<EvalJob>({}), HasSubstr("either run"));
  EXPECT_THAT(refusal<EvalJob>({"run=r"}), HasSubstr("index"));
  EXPECT_THAT(refusal<EvalJob>({"results=a,b", "truths=c"}), HasSubstr("1 truths, 2 results"));
  EXPECT_EQ(refusal<EvalJob>({"results=a", "truths=b", "masks=c"}), "accepted");
  EXPECT_EQ(refusal<EvalJob>({"run=r", "index=i"}), "accepted");
}

// A plan of such a network overflowed, and said that a step takes less than no time.
TEST(Validate, ChannelsHaveALimit) {
  EXPECT_THAT(refusal<TrainJob>({"model.unet.block_out_channels=100000000000,32"}), HasSubstr("1 to 65536"));
}

TEST(Validate, SizesAndCountsHaveALimit) {
  const std::string huge = "=9223372036854775807";
  EXPECT_THAT(refusal<TrainJob>({"model.image_encoder.num_layers" + huge}), HasSubstr("1 to 1024"));
  EXPECT_THAT(refusal<TrainJob>({"model.image_encoder.hidden_size" + huge}), HasSubstr("1 to 65536"));
  EXPECT_THAT(refusal<TrainJob>({"data.sample_margin" + huge}), HasSubstr("0 to 1000000000"));
  EXPECT_THAT(refusal<CacheJob>({"data.n_sample_frames" + huge}), HasSubstr("1 to 4096"));
  EXPECT_EQ(refusal<TrainJob>({"seed" + huge}), "accepted") << "a seed is only mixed";
}

TEST(CheckRanks, EachHasALaneAndCopiesMakeUpAll) {
  TrainJob job;
  job.lanes = 4;
  job.parallel.shard_ranks = 2;

  EXPECT_TRUE(check_ranks(job, 4));
  EXPECT_TRUE(check_ranks(job, 1)) << "one rank shares nothing";
  EXPECT_THAT(check_ranks(job, 3).error().message, HasSubstr("3 ranks do not divide into copies of 2"));
  EXPECT_THAT(check_ranks(job, 6).error().message, HasSubstr("use at most 4 ranks"));
}

TEST(IdleSettings, AreNamedWithWhatLeavesThemIdle) {
  TrainJob job;
  EXPECT_TRUE(idle_settings(job).empty());
  job.parallel.zero_stage = 3;
  job.parallel.shard_ranks = 2;
  job.parallel.accumulation = Accumulation::Parts;
  job.parallel.keep_whole = {"mid_block"};
  job.checkpoint.memory_peer = true;
  EXPECT_TRUE(idle_settings(job).empty());

  job.checkpoint.memory_every_steps = 0;
  job.parallel.zero_stage = 0;

  EXPECT_THAT(
      idle_settings(job),
      testing::ElementsAre("checkpoint.memory_peer: true has no effect with checkpoint.memory_every_steps: 0",
                           "parallel.accumulation: parts has no effect with parallel.zero_stage: 0",
                           "parallel.keep_whole has no effect with parallel.zero_stage: 0",
                           "parallel.shard_ranks has no effect with parallel.zero_stage: 0"));
}

// min(snr, gamma), and the snr of the last timestep is 0.
TEST(IdleSettings, AreTheTimestepsThatMinSnrLeavesWithoutWeight) {
  TrainJob job;
  job.schedule.prediction_type = PredictionType::Sample;

  EXPECT_THAT(idle_settings(job), testing::ElementsAre(testing::StartsWith(
                                      "the loss of the noisiest timesteps, where sampling starts, has "
                                      "no effect with schedule.min_snr_variant: moore")));
  job.schedule.min_snr_variant = MinSnrVariant::None;
  EXPECT_TRUE(idle_settings(job).empty());
  job.schedule.min_snr_variant = MinSnrVariant::Standard;
  job.schedule.snr_gamma = 0;
  EXPECT_TRUE(idle_settings(job).empty());
}

TEST(IdleSettings, OfAGenerationAreNamedToo) {
  GenerateJob job;
  EXPECT_TRUE(idle_settings(job).empty());
  job.context.stride = 2;
  job.context.closed_loop = true;
  job.guidance_rescale = 0.7;
  job.reference_keypoints = "anna.json";
  job.guidance_scale = 1;

  EXPECT_THAT(idle_settings(job),
              testing::ElementsAre("context.stride: 2 has no effect with context.mode: better",
                                   "context.closed_loop: true has no effect with context.mode: better",
                                   "guidance_rescale has no effect with a guidance_scale of 1 or less",
                                   "reference_keypoints has no effect with align: false"));
  job.context.mode = ContextMode::Compat;
  job.guidance_scale = 2;
  job.align = true;
  EXPECT_TRUE(idle_settings(job).empty());
}

TEST(IdleSettings, OfAGenerationFromARunAreThoseItBrings) {
  const std::vector<std::string> sets = {"schedule.prediction_type=sample", "model.motion.max_len=24"};
  auto resolved = load<GenerateJob>({{}, sets}).value();
  EXPECT_TRUE(idle_settings(resolved).empty());

  resolved.job.run = "walk";

  EXPECT_THAT(idle_settings(resolved),
              testing::ElementsAre("model.motion.max_len, schedule.prediction_type have no effect with run"));
}

TEST(IdleSettings, OfAPoseVideoAreWhatPosesAreDrawnBy) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "poses.mp4", "no JSON") &&
              files::write_atomic(folder / "poses.jsonl", "{}"));
  auto resolved = load<GenerateJob>({{}, {"draw_hands=false", "pose_style=puppet"}}).value();

  resolved.job.pose = (folder / "poses.jsonl").string();
  EXPECT_TRUE(idle_settings(resolved).empty());
  resolved.job.pose = (folder / "poses.mp4").string();
  EXPECT_THAT(idle_settings(resolved),
              testing::ElementsAre("draw_hands, pose_style have no effect with a video of drawn poses"));
  resolved.origins["draw_hands"] = "run walk";
  resolved.job.weights = "w";
  resolved.origins["pose_style"] = "w/trained_as.json";
  EXPECT_TRUE(idle_settings(resolved).empty()) << "nobody asked for them";
}

TEST(IdleSettings, OfJudgedFilesAreThoseOfARun) {
  const auto files =
      load<EvalJob>({{}, {"results=a.mp4", "truths=b.mp4", "mask_threshold=0.2", "index=i", "steps=4"}});
  const auto run = load<EvalJob>({{}, {"run=walk", "index=i", "steps=4"}});

  ASSERT_TRUE(files && run);
  EXPECT_THAT(idle_settings(*files), testing::ElementsAre("index, steps have no effect with results"));
  EXPECT_TRUE(idle_settings(*run).empty());
}

}  // namespace
}  // namespace zt::config
