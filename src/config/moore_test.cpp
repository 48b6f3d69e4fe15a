// SPDX-License-Identifier: Apache-2.0
// The files under testdata/moore hold the keys and values of MooreThreads/Moore-AnimateAnyone (commit
// a914ef3), in the places they have there. Expected values are those of its files and, for omitted keys, of
// diffusers 0.24's defaults.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "base/files/files.hpp"
#include "config/load.hpp"
#include "config/weight_dtype.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kMoore = ZT_SOURCE_DIR "/src/config/testdata/moore/configs/";

std::string changed(const std::string& file, const std::string& from, const std::string& to) {
  std::string text = *files::read(kMoore + file);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

template <class Job>
Result<Resolved<Job>> load_text(const std::string& text) {
  test::TempFolder folder;
  EXPECT_TRUE(files::write_atomic(folder / "changed.yaml", text));
  return load<Job>({folder / "changed.yaml", {}});
}

TEST(MooreFiles, StageOneKeepsEveryValue) {
  const auto result = load<TrainJob>({kMoore + "train/stage1.yaml", {}});

  ASSERT_TRUE(result) << result.error().text();
  const TrainJob& job = result->job;
  EXPECT_EQ(job.stage, 1);
  EXPECT_EQ(job.name, "stage1");
  EXPECT_EQ(job.output_dir, "./exp_output");
  EXPECT_EQ(job.seed, 12580);
  EXPECT_EQ(job.max_train_steps, 30000);
  EXPECT_FALSE(job.gradient_checkpointing);
  EXPECT_EQ(job.data.train_bs, 4);
  EXPECT_EQ(job.data.width, 768);
  EXPECT_EQ(job.data.height, 768);
  EXPECT_EQ(job.data.sample_margin, 30);
  EXPECT_THAT(job.data.meta_paths, ElementsAre("./data/fashion_meta.json"));
  EXPECT_EQ(job.optimizer.learning_rate, 1e-5);
  EXPECT_EQ(job.optimizer.lr_scheduler, LrScheduler::Constant);
  EXPECT_EQ(job.optimizer.adam_weight_decay, 1e-2);
  EXPECT_EQ(job.optimizer.adam_epsilon, 1e-8);
  EXPECT_EQ(job.precision.mixed_precision, MixedPrecision::Fp16);
  EXPECT_EQ(job.precision.frozen_dtype, MixedPrecision::Fp16);
  EXPECT_EQ(job.schedule.snr_gamma, 5.0);
  EXPECT_EQ(job.schedule.noise_offset, 0.05);
  EXPECT_TRUE(job.schedule.enable_zero_snr);
  EXPECT_EQ(job.schedule.prediction_type, PredictionType::VPrediction);
  EXPECT_EQ(job.condition.uncond_ratio, 0.1);
  EXPECT_EQ(job.validation.every_steps, 200);
  EXPECT_EQ(job.checkpoint.every_steps, 2000);
  EXPECT_EQ(job.checkpoint.every_epochs, 5);
  EXPECT_EQ(job.model.base_model_path, "./pretrained_weights/sd-image-variations-diffusers");
  EXPECT_THAT(job.model.controlnet_openpose_path, EndsWith("openpose/diffusion_pytorch_model.bin"));
  EXPECT_THAT(job.model.pose_guider.block_out_channels, ElementsAre(16, 32, 96, 256));
}

TEST(MooreFiles, StageTwoIsKnownByItsKeys) {
  const auto result = load<TrainJob>({kMoore + "train/stage2.yaml", {}});

  ASSERT_TRUE(result) << result.error().text();
  const TrainJob& job = result->job;
  EXPECT_EQ(job.stage, 2);
  EXPECT_EQ(job.data.sample_rate, 4);
  EXPECT_EQ(job.data.n_sample_frames, 24);
  EXPECT_THAT(job.data.crop_scale, ElementsAre(1.0, 1.0));
  EXPECT_TRUE(job.optimizer.use_8bit_adam);
  EXPECT_TRUE(job.gradient_checkpointing);
  EXPECT_EQ(job.model.stage1_ckpt_dir, "./exp_output/stage1");
  EXPECT_EQ(job.model.stage1_ckpt_step, 980);
  EXPECT_EQ(job.model.mm_path, "./pretrained_weights/mm_sd_v15_v2.ckpt");
}

TEST(MooreFiles, BetaScheduleReachesOnlyValidation) {
  const auto result = load<TrainJob>({kMoore + "train/stage2.yaml", {}});

  ASSERT_TRUE(result);
  EXPECT_EQ(result->job.schedule.beta_schedule, BetaSchedule::ScaledLinear);
  EXPECT_EQ(result->job.validation.beta_schedule, SamplerBetas::Linear);
}

TEST(MooreFiles, DefaultsStayOursUnlessCompatIsAsked) {
  const auto ours = load<TrainJob>({kMoore + "train/stage1.yaml", {}});
  const auto theirs = load<TrainJob>({kMoore + "train/stage1.yaml", {"compat=moore"}});

  ASSERT_TRUE(ours && theirs);
  EXPECT_EQ(ours->job.condition.dropout_scope, DropoutScope::Sample);
  EXPECT_EQ(theirs->job.condition.dropout_scope, DropoutScope::Batch);
  EXPECT_EQ(theirs->job.validation.beta_schedule, SamplerBetas::ScaledLinear) << "the file says so";
}

TEST(MooreFiles, EffectsSayWhatBecameOfEveryKey) {
  const auto result = load<TrainJob>({kMoore + "train/stage1.yaml", {}});

  ASSERT_TRUE(result);
  EXPECT_EQ(result->effects.size(), 44u) << "43 keys, and what the file leaves open";
  const auto has = [](const char* key, const char* value, const char* effect) {
    return Contains(testing::AllOf(testing::Field(&Effect::key, key), testing::Field(&Effect::value, value),
                                   testing::Field(&Effect::effect, effect)));
  };
  EXPECT_THAT(result->effects, has("data.train_width", "768", "data.width = 768"));
  EXPECT_THAT(result->effects, has("solver.enable_xformers_memory_efficient_attention", "True",
                                   "not used: names only another way to the same numbers"));
  EXPECT_THAT(
      result->effects,
      has("weight_dtype", "fp16",
          "precision.frozen_dtype = fp16: counts for networks of which nothing trains: none in stage 1. "
          "VAE and image encoder stay fp32"));
  EXPECT_THAT(result->origins.at("data.width"), EndsWith("stage1.yaml:3"));
}

TEST(MooreFiles, WhatCompatChangesIsAmongTheEffects) {
  const auto result = load<TrainJob>({"", {"compat=moore", "condition.dropout_scope=sample"}});

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->effects.size(), train_compat_fields().size() - 1) << "all but what --set says";
  EXPECT_EQ(result->effects.at(0).origin, "compat: moore");
}

TEST(MooreFiles, UntrainedPoseGuiderIsSmaller) {
  const auto result = load_text<TrainJob>(
      changed("train/stage1.yaml", "pose_guider_pretrain: True", "pose_guider_pretrain: False"));

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_THAT(result->job.model.pose_guider.block_out_channels, ElementsAre(16, 32, 64, 128));
  EXPECT_THAT(result->job.model.controlnet_openpose_path, IsEmpty());
}

TEST(MooreFiles, PretrainedPoseGuiderWantsItsFile) {
  const auto result = load_text<TrainJob>(changed("train/stage1.yaml", "controlnet_openpose_path", "# path"));

  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("pose_guider_pretrain: wanted controlnet_openpose_path"));
}

TEST(MooreFiles, WithoutZeroSnrTheTargetIsEpsilon) {
  const auto result =
      load_text<TrainJob>(changed("train/stage1.yaml", "enable_zero_snr: True", "enable_zero_snr: False"));

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.schedule.prediction_type, PredictionType::Epsilon);
  EXPECT_EQ(result->job.validation.timestep_spacing, TimestepSpacing::Leading) << "diffusers' default";
}

TEST(MooreFiles, MixedPrecisionNoIsFp32) {
  const auto result =
      load_text<TrainJob>(changed("train/stage1.yaml", "mixed_precision: 'fp16'", "mixed_precision: 'no'"));

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.precision.mixed_precision, MixedPrecision::Fp32);
}

TEST(MooreFiles, RefusesWhatWouldChangeTheMathsWithTheReason) {
  const auto clip = load_text<TrainJob>(changed("train/stage1.yaml", "false", "true"));
  const auto resume = load_text<TrainJob>(
      changed("train/stage1.yaml", "resume_from_checkpoint: ''", "resume_from_checkpoint: latest"));
  const auto unknown = load_text<TrainJob>(changed("train/stage1.yaml", "uncond_ratio", "uncond_ration"));

  ASSERT_FALSE(clip || resume || unknown);
  EXPECT_THAT(clip.error().message, HasSubstr("only \"false\" is supported, found \"true\""));
  EXPECT_THAT(resume.error().message, HasSubstr("train --resume RUN"));
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean uncond_ratio?"));
}

TEST(MooreFiles, PointsAtAWrongValueInTheirFile) {
  const auto result = load_text<TrainJob>(changed("train/stage1.yaml", "train_bs: 4", "train_bs: four"));

  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr(":2:13: data.train_bs: wanted whole number"));
}

TEST(MooreFiles, AnimationIsOneJobPerReferenceAndPose) {
  const auto result = load_many({kMoore + "prompts/animation.yaml", {"length=64"}});

  ASSERT_TRUE(result) << result.error().text();
  ASSERT_EQ(result->size(), 3u);
  const GenerateJob& job = (*result)[1].job;
  EXPECT_EQ(job.reference_image, "./configs/inference/ref_images/anyone-2.png");
  EXPECT_EQ(job.pose, "./configs/inference/pose_videos/anyone-video-5_kps.mp4");
  EXPECT_EQ((*result)[2].job.reference_image, "./configs/inference/ref_images/anyone-10.png");
  EXPECT_EQ(job.length, 64);
  EXPECT_EQ(job.dtype, DtypeChoice::Fp16);
  EXPECT_EQ(job.model.mm_path, "./pretrained_weights/motion_module.pth");
  EXPECT_FALSE(job.model.mm_zero_proj_out);
  EXPECT_FALSE(load<GenerateJob>({kMoore + "prompts/animation.yaml", {}})) << "one job was asked for";
}

TEST(MooreFiles, InferenceConfigIsFoundAboveTheFile) {
  const auto result = load_many({kMoore + "prompts/animation.yaml", {}});

  ASSERT_TRUE(result) << result.error().text();
  const GenerateJob& job = result->front().job;
  EXPECT_EQ(job.beta_schedule, SamplerBetas::Linear);
  EXPECT_EQ(job.timestep_spacing, TimestepSpacing::Trailing);
  EXPECT_EQ(job.schedule.prediction_type, PredictionType::VPrediction);
  EXPECT_TRUE(job.schedule.enable_zero_snr);
  EXPECT_TRUE(job.model.unet.use_inflated_groupnorm);
  EXPECT_TRUE(job.model.motion.mid_block);
  EXPECT_EQ(job.model.motion.max_len, 32);
  EXPECT_THAT(job.model.motion.levels, ElementsAre(0, 1, 2, 3)) << "of a network with five, too";
  EXPECT_THAT(result->front().origins.at("beta_schedule"), HasSubstr("inference_v2.yaml:27"));
}

/// dtype of the first job after the device has had its say, and what the table says of weight_dtype.
std::pair<DtypeChoice, std::string> fitted_dtype(const std::vector<std::string>& sets) {
  auto jobs = load_many({kMoore + "prompts/animation.yaml", sets});
  EXPECT_TRUE(jobs) << jobs.error().text();
  fit_weight_dtype(jobs->front());
  const auto row = std::ranges::find(jobs->front().effects, "weight_dtype", &Effect::key);
  return {jobs->front().job.dtype, row->effect};
}

TEST(MooreFiles, WeightDtypeIsAWishThatTheCpuCannotGrant) {
  const auto [cpu, cpu_effect] = fitted_dtype({});
  EXPECT_EQ(cpu, DtypeChoice::Fp32);
  EXPECT_THAT(cpu_effect, AllOf(HasSubstr("dtype = fp32"), HasSubstr("--device cuda")));

  const auto [gpu, gpu_effect] = fitted_dtype({"device=cuda:1"});
  EXPECT_EQ(gpu, DtypeChoice::Fp16);
  EXPECT_EQ(gpu_effect, "dtype = fp16");

  EXPECT_EQ(fitted_dtype({"dtype=fp16"}).first, DtypeChoice::Fp16) << "asked for in our own words";
}

TEST(MooreFiles, VersionOneTakesTheOmittedDefaults) {
  test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "a.yaml", "pretrained_vae_path: v\ninference_config: " + kMoore +
                                                         "inference/inference_v1.yaml\n"));

  const auto result = load<GenerateJob>({folder / "a.yaml", {}});

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.schedule.prediction_type, PredictionType::Epsilon);
  EXPECT_FALSE(result->job.schedule.enable_zero_snr);
  EXPECT_EQ(result->job.timestep_spacing, TimestepSpacing::Leading);
  EXPECT_FALSE(result->job.model.unet.use_inflated_groupnorm);
  EXPECT_FALSE(result->job.model.motion.mid_block);
  EXPECT_EQ(result->job.model.motion.max_len, 24);
}

TEST(MooreFiles, SaysWhichInferenceConfigIsMissing) {
  const auto result = load_text<GenerateJob>("inference_config: ./none/inference_v2.yaml\n");

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::NotFound);
  EXPECT_THAT(result.error().text(), HasSubstr("./none/inference_v2.yaml"));
}

/// What an inference file must say because leaving it out means what is not built.
const std::string kNeededOfUNet =
    "unet_additional_kwargs:\n  use_motion_module: true\n  motion_module_type: Vanilla\n"
    "  motion_module_kwargs: {num_transformer_block: 1, temporal_position_encoding: true}\n";
const std::string kNeededOfScheduler = "noise_scheduler_kwargs:\n  clip_sample: false\n  steps_offset: 1\n";

Result<Resolved<GenerateJob>> load_inference(const std::string& text) {
  test::TempFolder folder;
  EXPECT_TRUE(files::write_atomic(folder / "v.yaml", text));
  EXPECT_TRUE(
      files::write_atomic(folder / "a.yaml", "inference_config: " + (folder / "v.yaml").string() + "\n"));
  return load<GenerateJob>({folder / "a.yaml", {}});
}

std::string without(std::string text, const std::string& part) {
  return text.erase(text.find(part), part.size());
}

// Values of diffusers' DDIMScheduler and of the reference's VanillaTemporalModule, from their sources.
TEST(MooreFiles, KeysThatAreLeftOutMeanWhatTheyMeanThere) {
  const auto result = load_inference(kNeededOfUNet + kNeededOfScheduler);

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.schedule.beta_start, 0.0001);
  EXPECT_EQ(result->job.schedule.beta_end, 0.02);
  EXPECT_EQ(result->job.beta_schedule, SamplerBetas::Linear);
  EXPECT_EQ(result->job.model.motion.max_len, 24);
  EXPECT_THAT(result->origins.at("schedule.beta_end"), HasSubstr("left out of"));
}

TEST(MooreFiles, KeysWhoseAbsenceMeansWhatIsNotBuiltAreAskedFor) {
  const std::string whole = kNeededOfUNet + kNeededOfScheduler;
  for (const auto& [line, advice] : std::vector<std::pair<std::string, std::string>>{
           {"  use_motion_module: true\n", "Write use_motion_module: true"},
           {"  motion_module_type: Vanilla\n", "Write motion_module_type: Vanilla"},
           {"num_transformer_block: 1, ", "Write num_transformer_block: 1"},
           {", temporal_position_encoding: true", "Write temporal_position_encoding: true"},
           {"  clip_sample: false\n", "Write clip_sample: false"},
           {"  steps_offset: 1\n", "Write steps_offset: 1"}}) {
    const auto result = load_inference(without(whole, line));

    ASSERT_FALSE(result) << line;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
    EXPECT_THAT(result.error().text(), HasSubstr(advice));
  }
  EXPECT_TRUE(load_inference(without(whole, "  steps_offset: 1\n") + "  timestep_spacing: trailing\n"))
      << "which has no offset";
}

TEST(MooreFiles, ReadsSomeMotionLevels) {
  const auto result =
      load_inference(kNeededOfUNet + "  motion_module_resolutions: [2, 8]\n" + kNeededOfScheduler);

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_THAT(result->job.model.motion.levels, ElementsAre(1, 3));
}

}  // namespace
}  // namespace zt::config
