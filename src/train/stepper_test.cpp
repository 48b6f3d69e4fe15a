// SPDX-License-Identifier: Apache-2.0
#include "train/stepper.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "support/parity.hpp"
#include "support/tiny_networks.hpp"
#include "support/trainer.hpp"

namespace zt::train {
namespace {

using test::tiny_job;
using test::Trainer;

at::Tensor all_values(const Trainer& trainer) {
  std::vector<at::Tensor> values;
  for (const params::Segment& segment : trainer.state.networks.store->segments())
    values.push_back(segment.values_P);
  return at::cat(values);
}

TEST(Stepper, LearnsASmallSet) {
  config::TrainJob job = tiny_job();
  job.schedule.prediction_type = config::PredictionType::Sample;
  job.schedule.min_snr_variant = config::MinSnrVariant::None;
  Trainer trainer(job);

  const double before = trainer.step(0).loss;
  double after = 0;
  for (int i = 0; i < 60; ++i) after = trainer.step(0).loss;

  EXPECT_LT(after, 0.6 * before);
}

TEST(Stepper, AccumulatedMicroBatchesEqualOneLargeBatch) {
  config::TrainJob job = tiny_job();
  job.data.train_bs = 4;
  Trainer whole(job);
  job.data.train_bs = 2;
  job.optimizer.gradient_accumulation_steps = 2;
  Trainer parts(job);

  const StepReport wanted = whole.step(0), found = parts.step(0);

  EXPECT_NEAR(found.loss, wanted.loss, 1e-6 * std::abs(wanted.loss));
  EXPECT_NEAR(found.norms.total, wanted.norms.total, 1e-4 * wanted.norms.total);
}

TEST(Stepper, LanesGiveTheSameBitsOnOneThreadAndOnTwo) {
  config::TrainJob job = tiny_job();
  job.lanes = 3;
  job.condition.uncond_ratio = 0.5;
  Trainer one(job, 1), two(job, 2);
  for (uint64_t step = 0; step < 4; ++step) {
    EXPECT_EQ(one.step(step * 6).loss, two.step(step * 6).loss);
  }
  EXPECT_EQ(one.digest(), two.digest());
}

// Two sums in another order: a parameter that a pass uses twice gets both gradients of the second micro batch
// added one by one to those of the first.
TEST(Stepper, TwoLanesEqualTwoMicroBatchesUpToRounding) {
  config::TrainJob job = tiny_job();
  job.lanes = 2;
  Trainer lanes(job, 2);
  job.lanes = 1;
  job.optimizer.gradient_accumulation_steps = 2;
  Trainer micro_batches(job);
  lanes.step(0);
  micro_batches.step(0);

  EXPECT_TRUE(test::all_close(all_values(lanes), all_values(micro_batches), 1e-6));
}

TEST(Stepper, AFullyDroppedBatchLeavesReferenceNetUntouched) {
  config::TrainJob job = tiny_job();
  job.condition.uncond_ratio = 1;
  Trainer trainer(job);
  const std::string reference = trainer.digest("reference_unet."),
                    denoising = trainer.digest("denoising_unet.");
  trainer.step(0);

  EXPECT_EQ(trainer.digest("reference_unet."), reference);
  EXPECT_NE(trainer.digest("denoising_unet."), denoising);
  for (const params::StateTensor& tensor : state_tensors(trainer.state)) {
    if (!tensor.name.starts_with("optimizer.exp_avg/reference_unet.")) continue;
    EXPECT_EQ(tensor.value.abs().sum().item<double>(), 0) << tensor.name;
  }
}

TEST(Stepper, FrozenPartsStayAsTheyAre) {
  config::TrainJob job = tiny_job();
  job.freeze = {"reference_unet.down_blocks.0", "pose_guider."};
  Trainer trainer(job);
  const std::string frozen = trainer.digest("reference_unet.down_blocks.0"),
                    guider = trainer.digest("pose_guider."), rest = trainer.digest("reference_unet.conv_in");
  trainer.step(0);

  EXPECT_EQ(trainer.digest("reference_unet.down_blocks.0"), frozen);
  EXPECT_EQ(trainer.digest("pose_guider."), guider);
  EXPECT_NE(trainer.digest("reference_unet.conv_in"), rest);
}

TEST(Stepper, ANonFiniteGradientChangesNothing) {
  Trainer trainer(tiny_job());
  const std::string before = trainer.digest();
  StepBatches batches = trainer.batches(0);
  batches[0][0].latents_BCFHW.fill_(std::numeric_limits<float>::quiet_NaN());
  const StepReport report = trainer.stepper.step(batches, 1e-3).value();

  EXPECT_TRUE(report.is_skipped);
  EXPECT_FALSE(report.norms.first_nonfinite.empty());
  EXPECT_EQ(trainer.digest(), before);
  EXPECT_FALSE(trainer.step(0).is_skipped);
  EXPECT_NE(trainer.digest(), before);
}

TEST(Stepper, Fp16ScalesTheLossAndHalvesTheScaleOnOverflow) {
  config::TrainJob job = tiny_job();
  Trainer full(job);
  job.precision.mixed_precision = config::MixedPrecision::Fp16;
  job.precision.init_loss_scale = 1024;
  Trainer half(job);

  const StepReport wanted = full.step(0), found = half.step(0);
  EXPECT_NEAR(found.loss / wanted.loss, 1.0, 0.01);
  EXPECT_NEAR(found.norms.total / wanted.norms.total, 1.0, 0.02);
  EXPECT_EQ(found.loss_scale, 1024);

  job.precision.init_loss_scale = 0x1p40;
  Trainer overflowing(job);
  EXPECT_TRUE(overflowing.step(0).is_skipped);
  EXPECT_EQ(overflowing.step(0).loss_scale, 0x1p39);
}

TEST(Stepper, EndsWhenMemoryChangedSinceTheStepBefore) {
  config::TrainJob job = tiny_job();
  job.optimizer.ema_decay = 0.9;
  for (const int64_t every : {50, 0}) {
    job.parallel.check_every_steps = every;
    Trainer trainer(job);
    trainer.step(0);
    trainer.step(0);
    const at::Tensor values = trainer.state.networks.store->segments()[1].values_S;
    static_cast<uint8_t*>(values.data_ptr())[2] ^= 0x10;

    const Result<StepReport> found = trainer.try_step(0);

    ASSERT_EQ(found.has_value(), every == 0);
    if (found) continue;
    EXPECT_EQ(found.error().code, ErrorCode::Corrupt);
    const std::string wanted = "the weights of " + trainer.state.networks.store->segments()[1].unit +
                               " changed in the memory of rank 0 between two updates";
    EXPECT_EQ(found.error().text().find(wanted), 0U) << found.error().text();
  }
}

TEST(Stepper, ReportsWhatItSaw) {
  Trainer trainer(tiny_job());
  const StepReport report = trainer.step(0);

  EXPECT_EQ(report.samples.size(), 2U);
  EXPECT_GT(report.samples[0].mse, 0);
  EXPECT_TRUE(report.norms.by_module.contains("denoising_unet.conv_out")) << report.norms.by_module.size();
  EXPECT_GT(report.forward_s, 0);
  EXPECT_GT(report.backward_s, 0);
}

}  // namespace
}  // namespace zt::train
