// SPDX-License-Identifier: Apache-2.0
#include "diffusion/noise_schedule.hpp"

#include <ATen/ATen.h>
#include <fmt/core.h>

#include <cmath>

#include "diffusion/internal/denoise.hpp"
#include "tensor/require.hpp"

namespace zt::diffusion {
namespace {

// torch.linspace in fp32: from both ends towards the middle, one fused multiply-add per element. std::fma
// keeps the bits the same on CPUs without that instruction.
std::vector<float> linspace(float start, float end, int64_t count) {
  const float step = (end - start) / static_cast<float>(count - 1);
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    values[static_cast<size_t>(i)] = i < count / 2 ? std::fma(step, static_cast<float>(i), start)
                                                   : std::fma(-step, static_cast<float>(count - 1 - i), end);
  }
  return values;
}

// ATen's square root, not std::sqrt: on Intel's library it is off by one unit in the last place for one value
// in five, and zero-terminal-SNR carries such units on to the whole table.
std::vector<float> square_roots(const std::vector<float>& values) {
  const at::Tensor roots = at::tensor(values).sqrt();
  const float* first = roots.const_data_ptr<float>();
  return {first, first + values.size()};
}

// torch.cumprod in fp32: accumulates in fp64, stores fp32.
std::vector<float> cumulative_product(const std::vector<float>& factors) {
  std::vector<float> products;
  products.reserve(factors.size());
  double product = 1;
  for (const float factor : factors) {
    product *= factor;
    products.push_back(static_cast<float>(product));
  }
  return products;
}

std::vector<float> alphas_from(const NoiseScheduleConfig& config) {
  std::vector<float> alphas;
  if (config.beta_schedule == config::BetaSchedule::Linear) {
    alphas = linspace(static_cast<float>(config.beta_start), static_cast<float>(config.beta_end),
                      config.num_timesteps);
    for (float& value : alphas) value = 1.0F - value;
  } else {
    alphas = linspace(static_cast<float>(std::sqrt(config.beta_start)),
                      static_cast<float>(std::sqrt(config.beta_end)), config.num_timesteps);
    for (float& value : alphas) value = 1.0F - value * value;
  }
  return alphas;
}

// Lin et al. 2023, algorithm 1, in diffusers' order: it goes back to betas, and alpha_bar is multiplied up
// once more.
void rescale_to_zero_terminal_snr(std::vector<float>& alphas) {
  std::vector<float> roots = square_roots(cumulative_product(alphas));
  const float first = roots.front(), last = roots.back();
  const float scale = first / (first - last);
  for (float& value : roots) value = (value - last) * scale;
  float before = 1;
  for (size_t i = 0; i < roots.size(); ++i) {
    const float alpha_bar = roots[i] * roots[i];
    const float beta = 1.0F - (i == 0 ? alpha_bar : alpha_bar / before);
    alphas[i] = 1.0F - beta;
    before = alpha_bar;
  }
}

at::Tensor in_fp32(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

}  // namespace

NoiseScheduleConfig noise_schedule_config(const config::ScheduleJob& job) {
  NoiseScheduleConfig config;
  config.num_timesteps = job.num_train_timesteps;
  config.beta_start = job.beta_start;
  config.beta_end = job.beta_end;
  config.beta_schedule = job.beta_schedule;
  config.zero_terminal_snr = job.enable_zero_snr;
  return config;
}

Result<NoiseSchedule> NoiseSchedule::make(const NoiseScheduleConfig& config) {
  if (config.num_timesteps < 2 || config.num_timesteps > 1'000'000) {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("a noise schedule needs 2 to 1,000,000 timesteps, not {}: set "
                            "schedule.num_train_timesteps (usual: 1000)",
                            config.num_timesteps));
  }
  if (!(config.beta_start > 0 && config.beta_start <= config.beta_end && config.beta_end < 1)) {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("a noise schedule needs 0 < beta_start <= beta_end < 1, not {} and {}: set "
                            "schedule.beta_start and schedule.beta_end (usual: 0.00085 and 0.012)",
                            config.beta_start, config.beta_end));
  }
  NoiseSchedule schedule(config);
  for (int64_t t = 0; t + 1 < config.num_timesteps; ++t) {  // the last may be pure noise
    const float signal = schedule.signal_scale(t), noise = schedule.noise_scale(t);
    if (!(signal > 0 && noise > 0))
      return fail(
          ErrorCode::InvalidConfig,
          fmt::format("at timestep {} of {} a sample would be {} of the picture and {} of the noise, and a "
                      "network learns nothing from that: set schedule.num_train_timesteps, beta_start and "
                      "beta_end (usual: 1000, 0.00085 and 0.012)",
                      t, config.num_timesteps, signal, noise));
  }
  return schedule;
}

NoiseSchedule::NoiseSchedule(const NoiseScheduleConfig& config) : config_(config) {
  std::vector<float> alphas = alphas_from(config);
  if (config.zero_terminal_snr) rescale_to_zero_terminal_snr(alphas);
  alphas_cumprod_ = cumulative_product(alphas);
  signal_scales_ = square_roots(alphas_cumprod_);
  std::vector<float> rests;
  for (const float alpha_bar : alphas_cumprod_) rests.push_back(1.0F - alpha_bar);
  noise_scales_ = square_roots(rests);
}

float NoiseSchedule::snr(int64_t timestep) const {
  const float ratio = signal_scale(timestep) / noise_scale(timestep);
  return ratio * ratio;
}

std::pair<at::Tensor, at::Tensor> NoiseSchedule::coefficients(const at::Tensor& timesteps_B,
                                                              const at::Tensor& like) const {
  const at::Tensor t = timesteps_B.to(at::kCPU).contiguous();
  ZT_REQUIRE(t.dim() == 1 && t.scalar_type() == at::kLong, "wanted timesteps (B,) int64, got ", t);
  ZT_REQUIRE(like.dim() >= 1 && like.size(0) == t.size(0), "batch of ", like, " is not that of timesteps ",
             t);
  std::vector<int64_t> shape(static_cast<size_t>(like.dim()), 1);
  shape[0] = t.size(0);
  at::Tensor signal = at::empty(shape, at::kFloat), noise = at::empty(shape, at::kFloat);
  for (int64_t b = 0; b < t.size(0); ++b) {
    const int64_t timestep = t.const_data_ptr<int64_t>()[b];
    ZT_REQUIRE(timestep >= 0 && timestep < num_timesteps(), "timestep ", timestep, " is outside [0, ",
               num_timesteps(), ")");
    signal.mutable_data_ptr<float>()[b] = signal_scale(timestep);
    noise.mutable_data_ptr<float>()[b] = noise_scale(timestep);
  }
  // Pageable memory: the source is read before the call returns.
  return {signal.to(like.device(), /*non_blocking=*/true), noise.to(like.device(), /*non_blocking=*/true)};
}

at::Tensor NoiseSchedule::add_noise(const at::Tensor& sample, const at::Tensor& noise,
                                    const at::Tensor& timesteps_B) const {
  ZT_REQUIRE(sample.sizes() == noise.sizes(), "sample ", sample, ", noise ", noise);
  const auto [signal_B, noise_B] = coefficients(timesteps_B, sample);
  return signal_B * in_fp32(sample) + noise_B * in_fp32(noise);
}

at::Tensor NoiseSchedule::target(Prediction prediction, const at::Tensor& sample, const at::Tensor& noise,
                                 const at::Tensor& timesteps_B) const {
  ZT_REQUIRE(sample.sizes() == noise.sizes(), "sample ", sample, ", noise ", noise);
  if (prediction == Prediction::Epsilon) return in_fp32(noise);
  if (prediction == Prediction::Sample) return in_fp32(sample);
  const auto [signal_B, noise_B] = coefficients(timesteps_B, sample);
  return signal_B * in_fp32(noise) - noise_B * in_fp32(sample);
}

Denoised NoiseSchedule::denoise(Prediction prediction, const at::Tensor& output, const at::Tensor& noisy,
                                const at::Tensor& timesteps_B) const {
  ZT_REQUIRE(output.sizes() == noisy.sizes(), "output ", output, ", noisy ", noisy);
  const auto [signal_B, noise_B] = coefficients(timesteps_B, noisy);
  return internal::denoise(prediction, in_fp32(output), in_fp32(noisy), signal_B, noise_B);
}

at::Tensor offset_noise(const at::Tensor& noise, const at::Tensor& offset, double strength) {
  return noise + strength * offset;
}

}  // namespace zt::diffusion
