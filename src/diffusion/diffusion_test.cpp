// SPDX-License-Identifier: Apache-2.0
// Schedules, targets and losses against the reference's tensors (tests/parity), the tables of the
// specification, and values of expected_values.py.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "diffusion/loss.hpp"
#include "diffusion/noise_schedule.hpp"
#include "diffusion/timesteps.hpp"
#include "support/parity.hpp"
#include "tensor/require.hpp"

namespace zt::diffusion {
namespace {

using config::BetaSchedule;
using config::MinSnrVariant;
using test::all_close;
using test::ParityFile;

NoiseSchedule schedule(BetaSchedule betas, bool zero_snr) {
  NoiseScheduleConfig config;
  config.beta_schedule = betas;
  config.zero_terminal_snr = zero_snr;
  return NoiseSchedule::make(config).value();
}

at::Tensor table(const NoiseSchedule& s) {
  return at::tensor(at::ArrayRef<float>(s.alphas_cumprod().data(), s.alphas_cumprod().size()));
}

// Bit for bit, but for the square root that zero-terminal-SNR starts from, which differs in the last place
// from CPU to CPU.
TEST(NoiseSchedule, EqualsTheReference) {
  const ParityFile g("g_ddim");

  EXPECT_TRUE(table(schedule(BetaSchedule::Linear, false)).equal(g["alphas_cumprod_linear_plain"]));
  EXPECT_TRUE(table(schedule(BetaSchedule::ScaledLinear, false)).equal(g["alphas_cumprod_scaled_plain"]));
  EXPECT_TRUE(all_close(table(schedule(BetaSchedule::Linear, true)), g["alphas_cumprod_infer"], 6e-7));
  EXPECT_TRUE(all_close(table(schedule(BetaSchedule::ScaledLinear, true)), g["alphas_cumprod_train"], 6e-7));
}

// The specification's table at t = 0, 1, 49, 99, 249, 499, 749, 899, 998, 999.
TEST(NoiseSchedule, HasThePublishedValues) {
  const int64_t at[] = {0, 1, 49, 99, 249, 499, 749, 899, 998, 999};
  const float linear[] = {.99914998F, .99825388F,  .94315058F,   .86386269F,     .55570304F,
                          .14252944F, .013368184F, .0010373964F, 6.2773665e-08F, 0};
  const float scaled[] = {.99914998F, .9982335F,   .94925857F,   .8880856F,    .65418869F,
                          .24235895F, .033171441F, .0030330678F, 1.96789e-07F, 0};
  const auto a = schedule(BetaSchedule::Linear, true), b = schedule(BetaSchedule::ScaledLinear, true);

  for (size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(a.alpha_cumprod(at[i]), linear[i], 2e-6F * linear[i] + 1e-11F) << "t = " << at[i];
    EXPECT_NEAR(b.alpha_cumprod(at[i]), scaled[i], 2e-6F * scaled[i] + 1e-11F) << "t = " << at[i];
  }
}

TEST(NoiseSchedule, RefusesWhatCannotBeASchedule) {
  NoiseScheduleConfig config;
  config.num_timesteps = 1;
  EXPECT_EQ(NoiseSchedule::make(config).error().code, ErrorCode::InvalidConfig);
  config.num_timesteps = int64_t{1} << 60;
  EXPECT_EQ(NoiseSchedule::make(config).error().code, ErrorCode::InvalidConfig);
  config = {};
  config.beta_end = 1e-4;
  EXPECT_EQ(NoiseSchedule::make(config).error().code, ErrorCode::InvalidConfig);
  config = {};
  config.beta_start = std::nan("");
  EXPECT_EQ(NoiseSchedule::make(config).error().code, ErrorCode::InvalidConfig);
}

// A product of 100,000 factors of 0.9 is 0 in fp32 long before the end; 1 - 1e-9 is 1 in fp32.
TEST(NoiseSchedule, RefusesTimestepsThatAreAllNoiseOrAllPicture) {
  NoiseScheduleConfig noise;
  noise.num_timesteps = 100'000;
  noise.beta_start = noise.beta_end = 0.1;
  NoiseScheduleConfig picture;
  picture.beta_start = picture.beta_end = 1e-9;
  for (const NoiseScheduleConfig& config : {noise, picture}) {
    const auto made = NoiseSchedule::make(config);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::InvalidConfig);
    EXPECT_NE(made.error().message.find("schedule.num_train_timesteps, beta_start and beta_end"),
              std::string::npos)
        << made.error().message;
  }
}

// With the terminal signal rescaled to nothing the last timestep is pure noise on purpose.
TEST(NoiseSchedule, TakesALastTimestepOfNothingButNoise) {
  EXPECT_EQ(schedule(BetaSchedule::Linear, true).signal_scale(999), 0);
}

TEST(NoiseSchedule, RefusesTimestepsOutsideItsTable) {
  const auto s = schedule(BetaSchedule::Linear, true);
  const at::Tensor x = at::zeros({1, 2, 3});

  EXPECT_THROW(s.add_noise(x, x, at::tensor({int64_t{1000}})), tensor::ContractError);
  EXPECT_THROW(s.add_noise(x, x, at::tensor({int64_t{0}, int64_t{1}})), tensor::ContractError);
}

// One training step's noise, noisy latents and target of each stage.
TEST(NoiseSchedule, NoisesAsTheReferenceStep) {
  const auto s = schedule(BetaSchedule::ScaledLinear, true);
  for (const char* name : {"e_train1_cond", "f_train2_cond"}) {
    const ParityFile f(name);
    const at::Tensor t_B = f["inp_timesteps"], latents = f["inp_latents"];

    const at::Tensor noise = offset_noise(f["inp_noise_base"], f["inp_noise_offset"], 0.05);

    EXPECT_TRUE(all_close(noise, f["noise"], 1e-6)) << name;
    EXPECT_TRUE(all_close(s.add_noise(latents, noise, t_B), f["noisy"], 1e-6)) << name;
    EXPECT_TRUE(all_close(s.target(Prediction::VPrediction, latents, noise, t_B), f["target"], 1e-6)) << name;
  }
}

TEST(NoiseSchedule, RecoversSampleAndNoiseFromEveryPerfectPrediction) {
  const auto s = schedule(BetaSchedule::ScaledLinear, false);
  const at::Tensor x0 = at::linspace(-2, 2, 24).view({2, 3, 4}), noise = (x0 * 3.7).sin();
  const at::Tensor t_B = at::tensor({int64_t{40}, int64_t{700}});
  const at::Tensor noisy = s.add_noise(x0, noise, t_B);

  for (const Prediction p : {Prediction::Epsilon, Prediction::Sample, Prediction::VPrediction}) {
    const Denoised found = s.denoise(p, s.target(p, x0, noise, t_B), noisy, t_B);
    EXPECT_TRUE(all_close(found.sample, x0, 2e-5)) << config::name(p);
    EXPECT_TRUE(all_close(found.epsilon, noise, 2e-5)) << config::name(p);
  }
}

TEST(NoiseSchedule, ComputesInFp32WhateverTheLatentsAre) {
  const auto s = schedule(BetaSchedule::ScaledLinear, true);
  const at::Tensor x0 = at::linspace(-1, 1, 12).view({1, 3, 4}).to(at::kBFloat16);

  EXPECT_EQ(s.add_noise(x0, x0, at::tensor({int64_t{3}})).scalar_type(), at::kFloat);
}

TEST(LossWeight, MooreEqualsTheReference) {
  const ParityFile g("g_ddim");
  const auto s = schedule(BetaSchedule::ScaledLinear, true);

  const at::Tensor weights =
      loss_weights(s, {MinSnrVariant::Moore, 5}, Prediction::VPrediction, at::arange(1000));

  EXPECT_TRUE(all_close(weights, g["moore_weights_gamma5"], 2e-6));
}

// expected_values.py: "min-SNR standard_v", "sample", "epsilon".
TEST(LossWeight, StandardEqualsThePaper) {
  const at::Tensor t_B = at::tensor({0, 100, 200, 300, 400, 500, 700, 999}, at::kLong);
  const auto zero = schedule(BetaSchedule::ScaledLinear, true),
             plain = schedule(BetaSchedule::ScaledLinear, false);
  const LossWeighting standard{MinSnrVariant::Standard, 5};
  // A product of hundreds of fp32 factors, which processors round differently.
  constexpr double kAbsolute = 5e-6, kRelative = 5e-6;

  EXPECT_TRUE(all_close(loss_weights(zero, standard, Prediction::VPrediction, t_B),
                        at::tensor({0.00425, 0.566193577, 0.737058791, 0.564750077, 0.391890396, 0.241018783,
                                    0.0552495312, 0.0}),
                        kAbsolute, kRelative));
  EXPECT_TRUE(
      all_close(loss_weights(zero, standard, Prediction::Sample, t_B),
                at::tensor({5., 5., 2.80313151, 1.29753056, 0.644440399, 0.317555662, 0.0584805544, 0.}),
                kAbsolute, kRelative));
  EXPECT_TRUE(all_close(loss_weights(plain, standard, Prediction::Epsilon, t_B),
                        at::tensor({0.00425361557, 0.591443443, 1., 1., 1., 1., 1., 1.}), kAbsolute,
                        kRelative));
}

TEST(LossWeight, IsOneWithoutWeightingAndFiniteWhereTheSignalIsGone) {
  EXPECT_EQ(loss_weight({MinSnrVariant::None, 5}, Prediction::VPrediction, 100), 1);
  EXPECT_EQ(loss_weight({MinSnrVariant::Moore, 0}, Prediction::VPrediction, 100), 1);
  EXPECT_EQ(loss_weight({MinSnrVariant::Moore, 5}, Prediction::Epsilon, 0), 1);
  EXPECT_EQ(loss_weight({MinSnrVariant::Standard, 5}, Prediction::Epsilon, 0), 1);
}

TEST(WeightedMse, EqualsTheReferenceStep) {
  const auto s = schedule(BetaSchedule::ScaledLinear, true);
  for (const char* name : {"e_train1_cond", "e_train1_uncond", "f_train2_cond", "f_train2_uncond"}) {
    const ParityFile f(name);
    const ParityFile inputs(name[0] == 'e' ? "e_train1_cond" : "f_train2_cond");

    const at::Tensor weights_B =
        loss_weights(s, {MinSnrVariant::Moore, 5}, Prediction::VPrediction, inputs["inp_timesteps"]);
    const DiffusionLoss found = weighted_mse(f["pred"], inputs["target"], weights_B);

    EXPECT_TRUE(all_close(weights_B, f["weights"], 2e-6)) << name;
    EXPECT_TRUE(all_close(found.per_sample_mse_B, f["per_sample_mse"], 1e-6)) << name;
    EXPECT_TRUE(all_close(found.loss.view({1}), f["loss"], 1e-6)) << name;
  }
}

TEST(WeightedMse, WithoutWeightsIsTheMeanSquaredError) {
  const ParityFile f("e_train1_cond_gamma0"), inputs("e_train1_cond");

  const DiffusionLoss found = weighted_mse(f["pred"], inputs["target"], {});

  EXPECT_TRUE(all_close(found.loss.view({1}), f["loss"], 1e-6));
}

// d/d output of mean_b w_b mean_i (o - t)^2 = 2 w_b (o - t) / (B I).
TEST(WeightedMse, HasTheAnalyticGradient) {
  const at::Tensor output = at::arange(8, at::kFloat).view({2, 4}).requires_grad_(true);
  const at::Tensor weights_B = at::tensor({0.5F, 2.0F});

  weighted_mse(output, at::ones({2, 4}), weights_B).loss.backward();

  const at::Tensor wanted = 2 * weights_B.view({2, 1}) * (output.detach() - 1) / 8;
  EXPECT_TRUE(all_close(output.grad(), wanted, 1e-6));
}

TEST(TimestepAt, FollowsTheLaw) {
  using config::TimestepDistribution;
  const double us[] = {0.0, 0.25, 0.5, 0.75, 0.999};
  const int64_t cubic[] = {999, 984, 875, 578, 2};  // expected_values.py
  for (size_t i = 0; i < 5; ++i)
    EXPECT_EQ(timestep_at(TimestepDistribution::Power, 3, us[i], 1000), cubic[i]) << us[i];
  EXPECT_EQ(timestep_at(TimestepDistribution::Uniform, 3, 0.0, 1000), 0);
  EXPECT_EQ(timestep_at(TimestepDistribution::Uniform, 3, 0.25, 1000), 250);
  EXPECT_EQ(timestep_at(TimestepDistribution::Uniform, 3, 1 - 0x1p-53, 1000), 999);
}

TEST(TimestepLosses, AverageWithinEachBucket) {
  TimestepLosses losses(3, 10, 0.5);
  losses.add(0, 4);
  losses.add(3, 1);
  losses.add(4, 100);
  losses.add(4, std::nan(""));

  EXPECT_EQ(losses.range(0), (std::pair<int64_t, int64_t>{0, 3}));
  EXPECT_EQ(losses.range(1), (std::pair<int64_t, int64_t>{4, 6}));
  EXPECT_EQ(losses.range(2), (std::pair<int64_t, int64_t>{7, 9}));
  EXPECT_DOUBLE_EQ(losses.average(0).value(), (0.5 * 0.5 * 4 + 0.5 * 1) / 0.75);
  EXPECT_DOUBLE_EQ(losses.average(1).value(), 100);
  EXPECT_FALSE(losses.average(2).has_value());
}

TEST(TimestepLosses, ContinueExactlyAfterRestore) {
  TimestepLosses straight(4, 100), resumed(4, 100);
  for (int i = 0; i < 20; ++i) straight.add(i * 5, i * 0.1);
  resumed.restore(straight.buckets());

  straight.add(7, 3);
  resumed.add(7, 3);

  EXPECT_EQ(straight.average(0), resumed.average(0));
  EXPECT_EQ(resumed.buckets()[0].count, 6);
}

}  // namespace
}  // namespace zt::diffusion
