// SPDX-License-Identifier: Apache-2.0
#include "train/plan/unit_policy.hpp"

#include <gtest/gtest.h>

#include "models/network_set.hpp"
#include "support/tiny_networks.hpp"

namespace zt::train {
namespace {

config::TrainJob sd15(int64_t stage) {
  config::TrainJob job;
  job.stage = stage;
  job.data.train_bs = 2;
  job.data.width = job.data.height = 512;
  job.data.n_sample_frames = 16;
  return job;
}

TEST(UnitPolicy, CountsPositionsByLevel) {
  const auto count = [](const char* unit, int64_t stage) {
    return positions_of(unit, sd15(stage), {.levels = 4, .scale_factor = 8});
  };
  EXPECT_EQ(count("denoising_unet.conv_in", 1), 2 * 64 * 64);
  EXPECT_EQ(count("denoising_unet.down_blocks.1.layers.0", 1), 2 * 32 * 32);
  EXPECT_EQ(count("denoising_unet.down_blocks.1.downsampler", 1), 2 * 16 * 16);
  EXPECT_EQ(count("denoising_unet.up_blocks.0.upsampler", 1), 2 * 16 * 16);
  EXPECT_EQ(count("denoising_unet.mid_block.0", 1), 2 * 8 * 8);
  EXPECT_EQ(count("denoising_unet.up_blocks.0.layers.2", 1), 2 * 8 * 8);
  EXPECT_EQ(count("denoising_unet.up_blocks.3.layers.0", 1), 2 * 64 * 64);
  EXPECT_EQ(count("denoising_unet.mid_block.0", 2), 2 * 16 * 8 * 8);
  EXPECT_EQ(count("reference_unet.mid_block.0", 2), 2 * 8 * 8);
}

// 400 Gb/s and 400 TFLOP/s need 8,000 positions in bf16, of half the bytes: 16,000 in fp32 on many ranks.
TEST(UnitPolicy, BreaksEvenWhereGatheringTakesAsLongAsUsing) {
  EXPECT_NEAR(break_even_positions({.flops = 400e12, .bytes = 50e9}, 1'000'000), 16'000, 1);
  EXPECT_NEAR(break_even_positions({.flops = 400e12, .bytes = 50e9}, 2), 8'000, 1);
  EXPECT_NEAR(break_even_positions({.flops = 400e12, .bytes = 50e9, .weight_bytes = 2}, 1'000'000), 8'000, 1);
}

TEST(UnitPolicy, ATextThatNamesNoUnitIsRefused) {
  const models::NetworkConfigs configs =
      models::network_configs(test::tiny_job(1).model, /*latent_channels=*/4, /*motion=*/false).value();
  const params::ParamTable table = models::declare_networks(configs);
  config::ParallelJob job;
  job.keep_whole = {"mid_block"};
  EXPECT_TRUE(check_named_units(job, table));
  job.keep_whole = {"mid_block", "mid_blok"};
  EXPECT_NE(check_named_units(job, table).error().message.find("'mid_blok'"), std::string::npos);
}

TEST(UnitPolicy, AloneKeepsAllWhole) {
  config::TrainJob job = sd15(1);
  job.parallel.zero_stage = 3;
  const params::Residency kept = residency_rule(job, Ranks(), {})("denoising_unet.head");
  EXPECT_TRUE(kept.whole_values);
  EXPECT_TRUE(kept.whole_gradients);
}

}  // namespace
}  // namespace zt::train
