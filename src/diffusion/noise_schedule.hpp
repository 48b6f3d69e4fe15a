// SPDX-License-Identifier: Apache-2.0
// The forward process: how much of a clean sample is left at each of T timesteps, noising, training targets,
// and the conversions between what a network may predict. Everything is fp32, in the order of operations of
// diffusers' DDIMScheduler, whose numbers it reproduces (docs/numerics.md). Legend: B batch; "..." any
// further dims. alpha_bar_t = product of (1 - beta) up to t; x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar)
// eps (Ho et al. 2020, eq. 4).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/job/schedule_job.hpp"

namespace zt::diffusion {

/// What the network's output means: the noise eps, the velocity sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0
/// (Salimans & Ho 2022), or the clean sample x0.
using Prediction = config::PredictionType;

struct NoiseScheduleConfig {
  int64_t num_timesteps = 1000;
  double beta_start = 0.00085;
  double beta_end = 0.012;
  /// Linear: beta in equal steps. ScaledLinear: sqrt(beta) in equal steps, squared.
  config::BetaSchedule beta_schedule = config::BetaSchedule::ScaledLinear;
  /// Shift and scale so that nothing of the sample is left at the last timestep (Lin et al. 2023, arXiv
  /// 2305.08891, algorithm 1).
  bool zero_terminal_snr = true;
};

/// The training schedule of a run.
NoiseScheduleConfig noise_schedule_config(const config::ScheduleJob& job);

/// A clean sample and a noise that together explain one noisy sample.
struct Denoised {
  at::Tensor sample;
  at::Tensor epsilon;
};

/// A table of alpha_bar and the maths on it. Thread-safe.
class NoiseSchedule {
 public:
  /// Errors: InvalidConfig if there are fewer than 2 or more than 1,000,000 timesteps, or if not
  /// 0 < beta_start <= beta_end < 1.
  static Result<NoiseSchedule> make(const NoiseScheduleConfig& config);

  const NoiseScheduleConfig& config() const { return config_; }
  int64_t num_timesteps() const { return config_.num_timesteps; }
  /// The whole table, for comparison with a reference's.
  std::span<const float> alphas_cumprod() const { return alphas_cumprod_; }
  float alpha_cumprod(int64_t timestep) const { return alphas_cumprod_[static_cast<size_t>(timestep)]; }
  /// sqrt(alpha_bar) and sqrt(1 - alpha_bar): x_t = signal_scale x0 + noise_scale eps.
  float signal_scale(int64_t timestep) const { return signal_scales_[static_cast<size_t>(timestep)]; }
  float noise_scale(int64_t timestep) const { return noise_scales_[static_cast<size_t>(timestep)]; }
  /// alpha_bar / (1 - alpha_bar), as sqrt, divide, square: the reference's order.
  float snr(int64_t timestep) const;

  /// x_t. Shapes: sample_B..., noise_B... (same), timesteps_B int64 in [0, T). Returns fp32.
  at::Tensor add_noise(const at::Tensor& sample, const at::Tensor& noise,
                       const at::Tensor& timesteps_B) const;
  /// What the network should say for this sample and noise.
  at::Tensor target(Prediction prediction, const at::Tensor& sample, const at::Tensor& noise,
                    const at::Tensor& timesteps_B) const;
  /// x0 and eps from the network's output. Requires timesteps with alpha_bar > 0 for Epsilon, whose output
  /// says nothing about x0 where alpha_bar is 0 (else infinities), and alpha_bar < 1 for Sample.
  Denoised denoise(Prediction prediction, const at::Tensor& output, const at::Tensor& noisy,
                   const at::Tensor& timesteps_B) const;

 private:
  explicit NoiseSchedule(const NoiseScheduleConfig& config);
  /// Signal and noise scales of shape (B, 1, ...) with as many dims as `like`, on its device.
  std::pair<at::Tensor, at::Tensor> coefficients(const at::Tensor& timesteps_B, const at::Tensor& like) const;
  NoiseScheduleConfig config_;
  std::vector<float> alphas_cumprod_, signal_scales_, noise_scales_;
};

/// noise + strength * offset. The offset, one number per (batch item, channel), lets a model learn to change
/// the mean brightness. Shapes: noise_BC..., offset_BC1... .
at::Tensor offset_noise(const at::Tensor& noise, const at::Tensor& offset, double strength);

}  // namespace zt::diffusion
