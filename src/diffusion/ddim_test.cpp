// SPDX-License-Identifier: Apache-2.0
// The sampler against the reference's trajectories (tests/parity) and the values of expected_values.py.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "diffusion/ddim.hpp"
#include "support/parity.hpp"

namespace zt::diffusion {
namespace {

using config::BetaSchedule;
using config::TimestepSpacing;
using test::all_close;
using test::ParityFile;

NoiseSchedule schedule(BetaSchedule betas, bool zero_snr) {
  NoiseScheduleConfig config;
  config.beta_schedule = betas;
  config.zero_terminal_snr = zero_snr;
  return NoiseSchedule::make(config).value();
}

TEST(DdimTimesteps, EqualTheReferenceLists) {
  const ParityFile g("g_ddim");
  for (const int64_t n : {4, 5, 7, 10, 20, 25, 30, 50}) {
    const at::Tensor wanted = g["timesteps_" + std::to_string(n)];
    EXPECT_TRUE(at::tensor(ddim_timesteps(TimestepSpacing::Trailing, 1000, n, 1)).equal(wanted)) << n;
  }
}

uint64_t fnv1a_of_all_lists(TimestepSpacing spacing) {
  uint64_t state = 0xCBF29CE484222325;
  for (int64_t n = 1; n <= 1000; ++n)
    for (const int64_t t : ddim_timesteps(spacing, 1000, n, 1))
      state = (state ^ static_cast<uint64_t>(t)) * 0x100000001B3;
  return state;
}

// expected_values.py: numpy's arange, linspace and round.
TEST(DdimTimesteps, EqualNumpyForEveryNumberOfSteps) {
  EXPECT_EQ(fnv1a_of_all_lists(TimestepSpacing::Trailing), 0x9ceeb200fc915d45);
  EXPECT_EQ(fnv1a_of_all_lists(TimestepSpacing::Leading), 0xb8ff5a488dac2596);
  EXPECT_EQ(fnv1a_of_all_lists(TimestepSpacing::Linspace), 0x8a0c265a5a9ebeec);
  EXPECT_EQ(ddim_timesteps(TimestepSpacing::Leading, 1000, 7, 1),
            (std::vector<int64_t>{853, 711, 569, 427, 285, 143, 1}));
  EXPECT_EQ(ddim_timesteps(TimestepSpacing::Linspace, 1000, 7, 1),
            (std::vector<int64_t>{999, 832, 666, 500, 333, 166, 0}));
}

// g_ddim: five steps of made-up outputs; the epsilon trajectory without zero-terminal-SNR.
TEST(DdimSampler, EqualsTheReferenceTrajectories) {
  const ParityFile g("g_ddim");
  const at::Tensor outputs = g["traj_model_outputs"], noises = g["traj_variance_noise"];
  struct Case {
    const char* name;
    Prediction prediction;
    double eta, tolerance;
  };
  for (const Case& c : {Case{"traj_v_prediction_eta0.0", Prediction::VPrediction, 0.0, 7.4e-6},
                        Case{"traj_v_prediction_eta0.6", Prediction::VPrediction, 0.6, 9.9e-6},
                        Case{"traj_epsilon_eta0.0", Prediction::Epsilon, 0.0, 2.3e-4},
                        Case{"traj_epsilon_eta0.6", Prediction::Epsilon, 0.6, 3.4e-4}}) {
    DdimConfig config;
    config.prediction = c.prediction;
    config.eta = c.eta;
    const bool zero_snr = c.prediction == Prediction::VPrediction;
    const auto sampler = DdimSampler::make(schedule(BetaSchedule::Linear, zero_snr), config, 5).value();
    const at::Tensor wanted = g[c.name];

    at::Tensor x = g["traj_x0"];
    for (int64_t i = 0; i < 5; ++i) {
      x = sampler.step(static_cast<size_t>(i), outputs[i], x, noises[i]).previous;
      EXPECT_TRUE(all_close(x, wanted[i], c.tolerance)) << c.name << " step " << i;
    }
  }
}

struct NumpyCase {
  TimestepSpacing spacing;
  Prediction prediction;
  double eta;
  std::vector<double> wanted;
};
/// expected_values.py, trajectory(): after three of four steps.
const NumpyCase kNumpyCases[] = {
    {TimestepSpacing::Leading,
     Prediction::VPrediction,
     0.0,
     {0.0788645325, -0.39834331, -0.878530438, -0.335851573, 0.881286956, 1.35059118}},
    {TimestepSpacing::Leading,
     Prediction::VPrediction,
     0.6,
     {0.347351381, -0.9251473, -0.76012219, 0.263501137, 0.368737529, 1.20641467}},
    {TimestepSpacing::Leading,
     Prediction::Epsilon,
     0.0,
     {3.13286578, -1.10937296, -5.95610963, -4.39382637, 2.29134314, 5.92625709}},
    {TimestepSpacing::Leading,
     Prediction::Epsilon,
     0.6,
     {4.14041002, -2.18242498, -6.46330063, -3.49528987, 1.42407242, 5.87532575}},
    {TimestepSpacing::Leading,
     Prediction::Sample,
     0.0,
     {0.750525225, 0.368404645, -0.198351608, -0.635400588, -0.742757231, -0.520696397}},
    {TimestepSpacing::Leading,
     Prediction::Sample,
     0.6,
     {0.752693448, 0.321132754, -0.163801052, -0.617302143, -0.801029498, -0.515349174}},
    {TimestepSpacing::Linspace,
     Prediction::VPrediction,
     0.0,
     {0.267901704, -0.271378123, -0.900177586, -0.409995316, 0.862319106, 1.348734}},
    {TimestepSpacing::Linspace,
     Prediction::VPrediction,
     0.6,
     {0.487280836, -1.03915213, -0.493421427, 0.362632204, 0.0948263595, 1.26747762}},
    {TimestepSpacing::Linspace,
     Prediction::Epsilon,
     0.0,
     {7.50645401, -2.22909273, -13.2799166, -10.5134083, 3.61215194, 11.8989868}},
    {TimestepSpacing::Linspace,
     Prediction::Epsilon,
     0.6,
     {9.01438543, -3.97569539, -13.9897426, -9.1525906, 2.22693374, 11.9363445}},
    {TimestepSpacing::Linspace,
     Prediction::Sample,
     0.0,
     {0.930245977, 0.47711748, -0.293593249, -0.627715009, -0.413725367, -0.168367622}},
    {TimestepSpacing::Linspace,
     Prediction::Sample,
     0.6,
     {0.957849985, 0.102880533, -0.0191453159, -0.41065932, -0.85686143, -0.15759559}},
};

TEST(DdimSampler, EqualsNumpyForLeadingAndLinspace) {
  const at::Tensor k = at::arange(6, at::kDouble).view({1, 6});
  for (const NumpyCase& c : kNumpyCases) {
    DdimConfig config;
    config.spacing = c.spacing;
    config.prediction = c.prediction;
    config.eta = c.eta;
    const bool zero_snr = c.prediction != Prediction::Epsilon;
    const auto sampler = DdimSampler::make(schedule(BetaSchedule::ScaledLinear, zero_snr), config, 4).value();

    at::Tensor x = (k * 1.3).cos();
    for (size_t i = 0; i < 3; ++i) {
      const auto shift = static_cast<double>(i);
      x = sampler.step(i, (0.7 * k + shift).sin() * 0.8, x, (2.1 * k + shift).cos()).previous;
    }

    EXPECT_TRUE(all_close(x, at::tensor(c.wanted, at::kDouble).view({1, 6}), 2e-5))
        << config::name(c.spacing) << " " << config::name(c.prediction) << " eta " << c.eta;
  }
}

TEST(DdimSampler, RecoversTheSampleFromAPerfectNetwork) {
  const auto noise_schedule = schedule(BetaSchedule::ScaledLinear, true);
  const at::Tensor x0 = at::linspace(-1.5, 1.5, 24).view({1, 4, 6}), eps = (x0 * 5).cos();
  const auto sampler = DdimSampler::make(noise_schedule, {}, 20).value();

  at::Tensor x = eps;
  for (size_t i = 0; i < 20; ++i) {
    const at::Tensor t_B = at::tensor({sampler.timesteps()[i]});
    x = sampler.step(i, noise_schedule.target(Prediction::VPrediction, x0, eps, t_B), x).previous;
  }

  EXPECT_TRUE(all_close(x, x0, 1e-5));
}

TEST(DdimSampler, RefusesWhatCannotBeSampled) {
  const auto zero = schedule(BetaSchedule::ScaledLinear, true);
  DdimConfig config;
  EXPECT_EQ(DdimSampler::make(zero, config, 0).error().code, ErrorCode::InvalidConfig);
  EXPECT_EQ(DdimSampler::make(zero, config, 1001).error().code, ErrorCode::InvalidConfig);
  config.prediction = Prediction::Epsilon;
  EXPECT_EQ(DdimSampler::make(zero, config, 10).error().code, ErrorCode::InvalidConfig);
  config = {};
  config.spacing = TimestepSpacing::Leading;
  EXPECT_EQ(DdimSampler::make(zero, config, 1000).error().code, ErrorCode::InvalidConfig);
  config = {};
  config.eta = -1;
  EXPECT_EQ(DdimSampler::make(zero, config, 10).error().code, ErrorCode::InvalidConfig);
}

TEST(Guidance, MovesFromUnconditionalThroughConditional) {
  const at::Tensor u = at::tensor({1.0F, 2.0F}).view({1, 2}), c = at::tensor({2.0F, 0.0F}).view({1, 2});

  EXPECT_TRUE(all_close(guide(u, c, 3.5), at::tensor({4.5F, -5.0F}).view({1, 2}), 1e-6));
  EXPECT_TRUE(all_close(guide(u, c, 1), c, 1e-6));
}

// expected_values.py: "rescale phi 0.7".
TEST(Guidance, RescaleEqualsThePaper) {
  const at::Tensor guided = at::tensor({1.0F, -2.0F, 4.0F, 0.5F, 0.1F, 0.2F, -0.3F, 0.7F}).view({2, 4});
  const at::Tensor conditional = at::tensor({0.5F, -0.5F, 1.5F, 0.25F, 0.3F, 0.1F, -0.9F, 0.2F}).view({2, 4});
  const at::Tensor wanted = at::tensor({0.534831957, -1.06966391, 2.13932783, 0.267415979, 0.124631773,
                                        0.249263545, -0.373895318, 0.872422409})
                                .view({2, 4});

  EXPECT_TRUE(all_close(rescale_guidance(guided, conditional, 0.7), wanted, 1e-6));
  EXPECT_TRUE(rescale_guidance(guided, conditional, 0).equal(guided));
}

}  // namespace
}  // namespace zt::diffusion
