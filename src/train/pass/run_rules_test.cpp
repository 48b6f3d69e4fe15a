// SPDX-License-Identifier: Apache-2.0
#include "train/pass/run_rules.hpp"

#include <gtest/gtest.h>

#include "support/tiny_networks.hpp"

namespace zt::train {
namespace {

TEST(RunRules, StageOneTrainsAllButWhatIsFrozen) {
  config::TrainJob job;
  EXPECT_TRUE(is_trainable(job, "reference_unet.up_blocks.2.resnets.0.conv1.weight"));
  EXPECT_FALSE(is_trainable(job, "reference_unet.up_blocks.3.resnets.0.conv1.weight"));
  EXPECT_TRUE(is_trainable(job, "denoising_unet.up_blocks.3.resnets.0.conv1.weight"));
}

TEST(RunRules, StageTwoTrainsMotionModules) {
  config::TrainJob job;
  job.stage = 2;
  job.freeze = {"motion_modules.1."};
  EXPECT_TRUE(
      is_trainable(job, "denoising_unet.mid_block.motion_modules.0.temporal_transformer.norm.weight"));
  EXPECT_FALSE(
      is_trainable(job, "denoising_unet.up_blocks.0.motion_modules.1.temporal_transformer.norm.weight"));
  EXPECT_FALSE(is_trainable(job, "denoising_unet.conv_in.weight"));
}

TEST(RunRules, AFreezeThatLeavesNothingOrMeetsNothingIsFound) {
  config::TrainJob job;
  params::ParamTable table;
  params::ParamInfo weight;
  weight.name = "denoising_unet.conv_in.weight";
  weight.shape = {4, 4};
  table.add(weight);
  EXPECT_TRUE(check_freeze(job, table));
  EXPECT_TRUE(freeze_misses(job, table).empty()) << "the default need not be there";

  job.freeze = {"conv_in", "conv_inn"};

  EXPECT_EQ(check_freeze(job, table).error().code, ErrorCode::InvalidConfig);
  EXPECT_EQ(freeze_misses(job, table), std::vector<std::string>{"conv_inn"});
}

TEST(RunRules, EightBitStateIsForLargeParameters) {
  config::TrainJob job = test::tiny_job();
  job.optimizer.use_8bit_adam = true;
  const params::PlacementRule rule = placement_rule(job, {});
  params::ParamInfo info;
  info.name = "denoising_unet.x";
  info.shape = {64, 64};
  EXPECT_EQ(rule(info).optimizer_kind, static_cast<int>(optim::StateKind::Blockwise8Bit));
  info.shape = {64, 63};
  EXPECT_EQ(rule(info).optimizer_kind, static_cast<int>(optim::StateKind::Float32));
}

TEST(RunRules, OnlyWhollyFrozenNetworksAreKeptInHalf) {
  config::TrainJob job = test::tiny_job(2);
  job.precision.frozen_dtype = config::MixedPrecision::Bf16;
  const models::NetworkSet set = test::tiny_networks(job);

  EXPECT_EQ(set.store->find("reference_unet.conv_in.weight")->value.scalar_type(), at::kBFloat16);
  EXPECT_EQ(set.store->find("pose_guider.conv_in.weight")->value.scalar_type(), at::kBFloat16);
  EXPECT_EQ(set.store->find("denoising_unet.conv_in.weight")->value.scalar_type(), at::kFloat);
}

TEST(RunRules, OnAGpuStateIsOffloadedWhereThatIsWanted) {
  config::TrainJob job;
  EXPECT_FALSE(adamw_options(job, at::Device(at::kCUDA, 0)).is_offloaded);
  job.optimizer.offload = config::Offload::Cpu;
  EXPECT_TRUE(adamw_options(job, at::Device(at::kCUDA, 0)).is_offloaded);
  EXPECT_TRUE(ema_options(job.optimizer, at::Device(at::kCUDA, 0)).is_offloaded);
  EXPECT_FALSE(adamw_options(job, at::kCPU).is_offloaded);
  EXPECT_FALSE(ema_options(job.optimizer, at::kCPU).is_offloaded);
}

// A frame of 64 x 64 pixels: 3 * 4096 bytes of pose, and mean and variance of 4 x (8 x 8 + 1) latents in
// fp32.
TEST(RunRules, SamplesMadeAheadKeepToTheirMemory) {
  config::TrainJob job;
  job.data.width = job.data.height = 64;
  job.data.prefetch_batches = 2;
  job.data.decode_memory_mib = 16;
  constexpr size_t kOfFrame = 3 * 4096 + 8 * 4 * 65, kMemory = size_t{16} << 20;
  EXPECT_EQ(prefetched_samples(job, sample_bytes(job, {}), 5), 10U)
      << "two steps of five, which take 140 KiB";
  EXPECT_EQ(prefetched_samples(job, sample_bytes(job, {}), 65536), kMemory / kOfFrame);

  job.stage = 2;
  job.data.n_sample_frames = 24;
  EXPECT_EQ(prefetched_samples(job, sample_bytes(job, {}), 65536), kMemory / (24 * kOfFrame));
  job.data.n_sample_frames = 1 << 16;
  EXPECT_EQ(prefetched_samples(job, sample_bytes(job, {}), 65536), 1U)
      << "a sample that is larger than the bound is still made";
  job.data.prefetch_batches = 0;
  EXPECT_EQ(prefetched_samples(job, sample_bytes(job, {}), 4), 1U)
      << "none ahead of its time, but the one that is waited for";
}

TEST(RunRules, LearningRateScalesWithTheWholeBatch) {
  config::TrainJob job;
  job.optimizer.learning_rate = 1e-5;
  job.optimizer.scale_lr = true;
  job.optimizer.gradient_accumulation_steps = 3;
  job.data.train_bs = 4;
  job.lanes = 2;
  EXPECT_EQ(samples_per_step(job), 24);
  EXPECT_DOUBLE_EQ(lr_schedule(job)->base_lr, 24e-5);
}

}  // namespace
}  // namespace zt::train
