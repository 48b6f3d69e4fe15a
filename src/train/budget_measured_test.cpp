// SPDX-License-Identifier: Apache-2.0
// The memory estimate against the allocator's count of a real step, at the sizes of tiny64 (bench/peer).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/tiny_networks.hpp"
#include "tensor/memory.hpp"
#include "train/budget.hpp"
#include "train/stepper.hpp"

namespace zt::train {
namespace {

/// Before the first tensor of this program.
const bool is_counting = (tensor::install_counting_allocator(), true);

constexpr int64_t kScaleFactor = 4;

config::TrainJob tiny64(int64_t stage, config::MixedPrecision precision, bool recompute) {
  config::TrainJob job = test::tiny_job(stage);
  job.model.unet.block_out_channels = {32, 64, 96, 96};
  job.model.unet.attention_levels = {};
  job.model.unet.cross_attention_dim = 64;
  job.model.pose_guider.block_out_channels = {16, 32, 64};
  job.data.width = job.data.height = 64;
  job.data.train_bs = stage == 1 ? 4 : 1;
  job.data.n_sample_frames = 8;
  job.precision.mixed_precision = precision;
  job.gradient_checkpointing = recompute;
  return job;
}

StepBatches noise_batches(const config::TrainJob& job) {
  const int64_t items = job.data.train_bs, frames = job.stage == 2 ? job.data.n_sample_frames : 1;
  const int64_t side = job.data.width / kScaleFactor, context = job.model.unet.cross_attention_dim;
  Batch batch;
  batch.latents_BCFHW = at::randn({items, test::kTinyChannels, frames, side, side});
  batch.noise_BCFHW = at::randn_like(batch.latents_BCFHW);
  batch.timesteps_B = at::full({items}, 500, at::kLong);
  batch.pose_BCFHW = at::rand({items, 3, frames, job.data.height, job.data.width});
  batch.context_BLD = at::randn({items, 1, context});
  batch.reference_RCHW = at::randn({items, test::kTinyChannels, side, side});
  batch.reference_context_RLD = batch.context_BLD;
  for (int64_t i = 0; i < items; ++i) batch.bank_row_B.push_back(i);
  return {{batch}};
}

struct Bytes {
  double activations = 0;  ///< and copies of weights: what a step takes and gives back
  double all = 0;
};

Bytes estimated(const config::TrainJob& job, const models::NetworkConfigs& configs) {
  Bytes bytes;
  for (const resources::Demand& demand : memory_demands(job, configs, kScaleFactor)) {
    const auto some = static_cast<double>(demand.bytes);
    bytes.all += some;
    if (demand.what.find("estimate") != std::string::npos) bytes.activations += some;
  }
  return bytes;
}

Bytes measured(const config::TrainJob& job, const models::NetworkConfigs& configs) {
  const int64_t before = tensor::memory_stats().live_bytes;
  const auto schedule =
      diffusion::NoiseSchedule::make(diffusion::noise_schedule_config(job.schedule)).value();
  models::BuildOptions options;
  options.motion = job.stage == 2;
  options.placement = placement_rule(job, models::declare_networks(configs));
  ModelState state = make_model_state(models::make_networks(configs, options), job);
  Ranks one;
  Stepper stepper(state, one, schedule, forward_rules(job, *state.networks.store), {});
  const StepBatches batches = noise_batches(job);
  const int64_t live = tensor::memory_stats().live_bytes;
  tensor::reset_peak();
  EXPECT_TRUE(stepper.step(batches, 1e-4));
  const int64_t peak = tensor::memory_stats().peak_bytes;
  return {static_cast<double>(peak - live), static_cast<double>(peak - before)};
}

void expect_close(const config::TrainJob& job) {
  ASSERT_TRUE(is_counting);
  const auto configs = models::network_configs(job.model, test::kTinyChannels, job.stage == 2).value();
  const Bytes wanted = measured(job, configs), found = estimated(job, configs);
  EXPECT_NEAR(found.activations / wanted.activations, 1, 0.2);
  EXPECT_NEAR(found.all / wanted.all, 1, 0.05);
}

TEST(BudgetMeasured, StageOneIsAsEstimated) {
  expect_close(tiny64(1, config::MixedPrecision::Fp32, /*recompute=*/false));
}
TEST(BudgetMeasured, StageTwoIsAsEstimated) {
  expect_close(tiny64(2, config::MixedPrecision::Fp32, /*recompute=*/false));
}
TEST(BudgetMeasured, ShortNumbersAreAsEstimated) {
  expect_close(tiny64(1, config::MixedPrecision::Bf16, /*recompute=*/false));
}
TEST(BudgetMeasured, RecomputedActivationsAreAsEstimated) {
  expect_close(tiny64(2, config::MixedPrecision::Fp32, /*recompute=*/true));
}

}  // namespace
}  // namespace zt::train
