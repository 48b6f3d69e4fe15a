// SPDX-License-Identifier: Apache-2.0
#include "train/pass/forward.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "support/parity.hpp"
#include "support/tiny_networks.hpp"

namespace zt::train {
namespace {

using test::noise_samples;
using test::tiny_job;
using test::tiny_networks;

struct Model {
  explicit Model(const config::TrainJob& job)
      : set(tiny_networks(job)),
        nets{*set.reference_net, *set.denoising_unet, *set.pose_guider},
        rules(forward_rules(job, *set.store)),
        schedule(diffusion::NoiseSchedule::make(diffusion::noise_schedule_config(job.schedule)).value()) {}
  models::NetworkSet set;
  StepNetworks nets;
  ForwardRules rules;
  diffusion::NoiseSchedule schedule;
};

Batch make_batch(const config::TrainJob& job, const std::vector<SampleRoll>& rolls) {
  BatchRules rules;
  rules.schedule = job.schedule;
  rules.null_embedding_D = at::zeros({test::kTinyContext});
  return assemble(noise_samples(job, 0, rolls.size()), rolls, rules);
}

/// Frame f of every clip as a batch of single pictures.
Batch pictures_of(const Batch& clips, int64_t f) {
  Batch pictures = clips;
  for (at::Tensor* frames : {&pictures.latents_BCFHW, &pictures.noise_BCFHW, &pictures.pose_BCFHW})
    *frames = frames->narrow(2, f, 1).contiguous();
  return pictures;
}

std::vector<at::Tensor> gradients(Model& model, const Batch& batch) {
  forward_loss(model.nets, model.schedule, batch, model.rules).loss.backward();
  std::vector<at::Tensor> all;
  for (const params::Segment& segment : model.set.store->segments())
    if (segment.gradients_P.defined()) all.push_back(segment.gradients_P.clone());
  return all;
}

TEST(Forward, StageTwoWithZeroMotionOutputEqualsStageOnePerFrame) {
  const at::NoGradGuard no_grad;
  const Model pictures(tiny_job(1)), clips(tiny_job(2));
  const Batch batch = make_batch(tiny_job(2), {{300, false}, {900, true}});

  const at::Tensor of_clips = predict(clips.nets, clips.schedule, batch, clips.rules);
  for (int64_t f = 0; f < of_clips.size(2); ++f) {
    const at::Tensor of_frame =
        predict(pictures.nets, pictures.schedule, pictures_of(batch, f), pictures.rules);
    EXPECT_TRUE(at::equal(of_clips.narrow(2, f, 1), of_frame))
        << (of_clips.narrow(2, f, 1) - of_frame).abs().max().item<double>();
  }
}

TEST(Forward, AZeroPoseGuiderMakesThePoseIrrelevant) {
  const at::NoGradGuard no_grad;
  config::TrainJob job = tiny_job();
  job.model.pose_init = config::PoseInit::ZeroOutput;
  const Model model(job);
  Batch batch = make_batch(job, {{300, false}, {900, false}});

  const at::Tensor before = predict(model.nets, model.schedule, batch, model.rules);
  batch.pose_BCFHW = 1 - batch.pose_BCFHW;

  EXPECT_TRUE(at::equal(before, predict(model.nets, model.schedule, batch, model.rules)));
}

TEST(Forward, TheReferenceMattersToWhoKeepsIt) {
  const at::NoGradGuard no_grad;
  const Model model(tiny_job());
  Batch batch = make_batch(tiny_job(), {{300, false}, {900, true}});

  const at::Tensor before = predict(model.nets, model.schedule, batch, model.rules);
  batch.reference_RCHW = batch.reference_RCHW + 1;
  const at::Tensor after = predict(model.nets, model.schedule, batch, model.rules);

  EXPECT_GT((after[0] - before[0]).abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(at::equal(after[1], before[1]));
}

/// Of networks alike but for the recomputation.
void expect_recomputed_bits(const config::TrainJob& job) {
  Model plain(job), recomputed(job);
  recomputed.rules.recompute = true;
  const Batch batch = make_batch(job, {{300, false}, {900, true}});

  const auto wanted = gradients(plain, batch), found = gradients(recomputed, batch);

  ASSERT_EQ(wanted.size(), found.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_TRUE(at::equal(wanted[i], found[i])) << "stage " << job.stage;
}

TEST(Forward, RecomputationGivesTheSameGradientBits) {
  for (const int64_t stage : {1, 2}) expect_recomputed_bits(tiny_job(stage));
}

// Autocast is off while backward recomputes, unless the recomputation turns it on.
TEST(Forward, RecomputationGivesTheSameGradientBitsInBf16) {
  for (const int64_t stage : {1, 2}) {
    config::TrainJob job = tiny_job(stage);
    job.precision.mixed_precision = config::MixedPrecision::Bf16;
    expect_recomputed_bits(job);
  }
}

TEST(Forward, StageTwoTrainsMotionModulesAlone) {
  Model model(tiny_job(2));
  EXPECT_FALSE(model.rules.trains_reference_net);
  EXPECT_FALSE(model.rules.trains_pose_guider);
  gradients(model, make_batch(tiny_job(2), {{300, false}, {900, false}}));

  for (const params::StoredParam& param : model.set.store->params()) {
    const bool is_motion =
        param.info.name.find("motion_modules") != std::string::npos && !param.info.is_buffer;
    EXPECT_EQ(param.value.requires_grad(), is_motion) << param.info.name;
  }
}

TEST(Forward, Bf16StaysCloseToFp32) {
  const at::NoGradGuard no_grad;
  config::TrainJob job = tiny_job();
  const Model full(job);
  job.precision.mixed_precision = config::MixedPrecision::Bf16;
  const Model half(job);
  const Batch batch = make_batch(job, {{300, false}, {900, false}});

  const double wanted = forward_loss(full.nets, full.schedule, batch, full.rules).loss.item<double>();
  const double found = forward_loss(half.nets, half.schedule, batch, half.rules).loss.item<double>();

  EXPECT_NE(wanted, found);
  EXPECT_NEAR(found / wanted, 1.0, 0.02);
}

TEST(Forward, FrozenNetworksMayBeKeptInBf16) {
  config::TrainJob job = tiny_job(2);
  const Model full(job);
  job.precision.frozen_dtype = config::MixedPrecision::Bf16;
  for (const auto mixed : {config::MixedPrecision::Fp32, config::MixedPrecision::Bf16}) {
    job.precision.mixed_precision = mixed;
    Model model(job);
    EXPECT_EQ(model.set.store->find("reference_unet.conv_in.weight")->value.scalar_type(), at::kBFloat16);
    const Batch batch = make_batch(job, {{300, false}, {900, true}});
    const double wanted = forward_loss(full.nets, full.schedule, batch, full.rules).loss.item<double>();
    const double found = forward_loss(model.nets, model.schedule, batch, model.rules).loss.item<double>();
    EXPECT_NEAR(found / wanted, 1.0, 0.02);
    gradients(model, batch);
  }
}

TEST(Forward, TheBankCanBeRoundedToHalfAsTheReferenceDoes) {
  const at::NoGradGuard no_grad;
  Model model(tiny_job());
  const Batch batch = make_batch(tiny_job(), {{300, false}, {900, false}});

  const at::Tensor exact = predict(model.nets, model.schedule, batch, model.rules);
  model.rules.bank_dtype = config::BankDtype::Fp16;
  const at::Tensor rounded = predict(model.nets, model.schedule, batch, model.rules);

  EXPECT_FALSE(at::equal(exact, rounded));
  EXPECT_TRUE(test::all_close(rounded, exact, 1e-2));
}

}  // namespace
}  // namespace zt::train
