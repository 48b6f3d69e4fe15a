// SPDX-License-Identifier: Apache-2.0
#include "diffusion/ddim.hpp"

#include <ATen/ATen.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "diffusion/internal/denoise.hpp"
#include "tensor/require.hpp"

namespace zt::diffusion {

std::vector<int64_t> ddim_timesteps(config::TimestepSpacing spacing, int64_t num_timesteps, int64_t num_steps,
                                    int64_t steps_offset) {
  ZT_REQUIRE(num_steps > 0 && num_steps <= num_timesteps, num_steps, " steps of ", num_timesteps);
  const auto total = static_cast<double>(num_timesteps), count = static_cast<double>(num_steps);
  std::vector<int64_t> timesteps;
  // nearbyint rounds halves to even, as numpy's round does; the products are in numpy's order.
  switch (spacing) {
    case config::TimestepSpacing::Trailing: {
      const double step = (total - total / count) - total;
      for (int64_t i = 0; i < num_steps; ++i)
        timesteps.push_back(static_cast<int64_t>(std::nearbyint(total + static_cast<double>(i) * step)) - 1);
      break;
    }
    case config::TimestepSpacing::Leading:
      for (int64_t i = num_steps; i-- > 0;)
        timesteps.push_back(i * (num_timesteps / num_steps) + steps_offset);
      break;
    case config::TimestepSpacing::Linspace: {
      const double step = num_steps > 1 ? (total - 1) / (count - 1) : 0;
      for (int64_t i = num_steps; i-- > 0;)
        timesteps.push_back(static_cast<int64_t>(std::nearbyint(static_cast<double>(i) * step)));
      break;
    }
  }
  return timesteps;
}

Result<DdimSampler> DdimSampler::make(NoiseSchedule schedule, const DdimConfig& config, int64_t num_steps) {
  const int64_t total = schedule.num_timesteps();
  if (num_steps < 1 || num_steps > total) {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("sampling takes 1 to {} steps (the schedule's timesteps), not {}: set `steps`",
                            total, num_steps));
  }
  if (!(config.eta >= 0 && config.eta <= 1)) {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("eta must lie in [0, 1], not {}: set `eta` (0 = deterministic)", config.eta));
  }
  auto timesteps = ddim_timesteps(config.spacing, total, num_steps, config.steps_offset);
  const auto [least, most] = std::minmax_element(timesteps.begin(), timesteps.end());
  if (*least < 0 || *most >= total) {
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format("{} steps with steps_offset {} visit timesteps {} to {}, but the schedule has 0 to {}: "
                    "take fewer steps or another timestep_spacing",
                    num_steps, config.steps_offset, *least, *most, total - 1));
  }
  if (config.prediction == Prediction::Epsilon && schedule.alpha_cumprod(*most) == 0) {
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format("epsilon prediction can't start at timestep {}, where this schedule (enable_zero_snr) "
                    "leaves nothing of the sample: use v_prediction or sample, or switch enable_zero_snr off",
                    *most));
  }
  return DdimSampler(std::move(schedule), config, std::move(timesteps));
}

DdimSampler::DdimSampler(NoiseSchedule schedule, const DdimConfig& config, std::vector<int64_t> timesteps)
    : schedule_(std::move(schedule)), config_(config), timesteps_(std::move(timesteps)) {}

// diffusers goes down by the fixed stride floor(T/n), also where the list's next timestep differs by one from
// that.
float DdimSampler::alpha_after(size_t index) const {
  const int64_t stride = schedule_.num_timesteps() / static_cast<int64_t>(timesteps_.size());
  const int64_t after = timesteps_[index] - stride;
  if (after >= 0) return schedule_.alpha_cumprod(after);
  return config_.set_alpha_to_one ? 1.0F : schedule_.alpha_cumprod(0);
}

DdimStep DdimSampler::step(size_t index, const at::Tensor& output, const at::Tensor& noisy,
                           const at::Tensor& noise) const {
  ZT_REQUIRE(index < timesteps_.size(), "step ", index, " of ", timesteps_.size());
  ZT_REQUIRE(output.sizes() == noisy.sizes(), "output ", output, ", noisy ", noisy);
  ZT_REQUIRE(!needs_noise() || (noise.defined() && noise.sizes() == noisy.sizes()), "noise ", noise, " for ",
             noisy);
  const int64_t t = timesteps_[index];
  const float alpha = schedule_.alpha_cumprod(t), alpha_next = alpha_after(index);
  const float beta = 1.0F - alpha, beta_next = 1.0F - alpha_next;
  const Denoised at_t =
      internal::denoise<double>(config_.prediction, output.to(at::kFloat), noisy.to(at::kFloat),
                                schedule_.signal_scale(t), schedule_.noise_scale(t));
  const float variance = (beta_next / beta) * (1.0F - alpha / alpha_next);
  const float sigma = static_cast<float>(config_.eta) * std::sqrt(variance);
  const double direction = std::sqrt(std::max(0.0F, 1.0F - alpha_next - sigma * sigma));
  at::Tensor previous = static_cast<double>(std::sqrt(alpha_next)) * at_t.sample + direction * at_t.epsilon;
  if (needs_noise()) previous = previous + static_cast<double>(sigma) * noise.to(at::kFloat);
  return {previous, at_t.sample};
}

at::Tensor guide(const at::Tensor& unconditional, const at::Tensor& conditional, double scale) {
  ZT_REQUIRE(unconditional.sizes() == conditional.sizes(), "unconditional ", unconditional, ", conditional ",
             conditional);
  return unconditional + scale * (conditional - unconditional);
}

at::Tensor rescale_guidance(const at::Tensor& guided, const at::Tensor& conditional, double phi) {
  if (phi == 0) return guided;
  ZT_REQUIRE(guided.dim() >= 2 && guided.sizes() == conditional.sizes(), "guided ", guided, ", conditional ",
             conditional);
  std::vector<int64_t> dims(static_cast<size_t>(guided.dim() - 1));
  std::iota(dims.begin(), dims.end(), 1);
  const at::Tensor wanted = conditional.std(dims, /*unbiased=*/true, /*keepdim=*/true);
  const at::Tensor found = guided.std(dims, /*unbiased=*/true, /*keepdim=*/true);
  return phi * (guided * (wanted / found)) + (1 - phi) * guided;
}

}  // namespace zt::diffusion
