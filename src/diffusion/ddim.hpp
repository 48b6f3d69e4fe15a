// SPDX-License-Identifier: Apache-2.0
// The DDIM sampler (Song et al. 2020, arXiv 2010.02502, eq. 12 and 16) as diffusers' DDIMScheduler computes
// it, and the two ways of combining conditional and unconditional outputs. No state beyond its tables: step()
// is a pure function, the caller owns latents and noise.
//   ZT_TRY_ASSIGN(const auto sampler, DdimSampler::make(schedule, config, 20));
//   for (size_t i = 0; i < sampler.timesteps().size(); ++i)
//     latents = sampler.step(i, net(latents, sampler.timesteps()[i]), latents).previous;
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "diffusion/noise_schedule.hpp"

namespace zt::diffusion {

struct DdimConfig {
  config::TimestepSpacing spacing = config::TimestepSpacing::Trailing;
  Prediction prediction = Prediction::VPrediction;
  double eta = 0;                ///< 0 deterministic, 1 as much fresh noise as DDPM
  int64_t steps_offset = 1;      ///< Leading only
  bool set_alpha_to_one = true;  ///< the last step ends at alpha_bar = 1, else at alpha_bar_0
};

/// The timesteps of a run of `num_steps`, noisiest first (Lin et al. 2023, table 2). Trailing: round(T - i
/// T/n) - 1, so it always starts at T - 1. Leading: i floor(T/n) + steps_offset. Linspace: round(i (T - 1)/(n
/// - 1)). Requires 0 < num_steps <= num_timesteps.
std::vector<int64_t> ddim_timesteps(config::TimestepSpacing spacing, int64_t num_timesteps, int64_t num_steps,
                                    int64_t steps_offset);

struct DdimStep {
  at::Tensor previous;  ///< the sample at the step's target, fp32
  at::Tensor denoised;  ///< the clean sample predicted here, fp32
};

class DdimSampler {
 public:
  /// Errors: InvalidConfig for a number of steps outside [1, T], a timestep outside [0, T) (leading with an
  /// offset too large), eta outside [0, 1], or epsilon prediction where alpha_bar is 0 (zero-terminal-SNR).
  static Result<DdimSampler> make(NoiseSchedule schedule, const DdimConfig& config, int64_t num_steps);

  /// Noisiest first. The start is unit normal noise.
  std::span<const int64_t> timesteps() const { return timesteps_; }
  const NoiseSchedule& schedule() const { return schedule_; }
  /// Whether step() wants noise.
  bool needs_noise() const { return config_.eta > 0; }

  /// One step from timesteps()[index]. Shapes: output, noisy and noise alike; noise only if needs_noise().
  /// Output and noisy of any float type; computed in fp32.
  DdimStep step(size_t index, const at::Tensor& output, const at::Tensor& noisy,
                const at::Tensor& noise = {}) const;

 private:
  DdimSampler(NoiseSchedule schedule, const DdimConfig& config, std::vector<int64_t> timesteps);
  float alpha_after(size_t index) const;
  NoiseSchedule schedule_;
  DdimConfig config_;
  std::vector<int64_t> timesteps_;
};

/// Classifier-free guidance: unconditional + scale (conditional - unconditional).
at::Tensor guide(const at::Tensor& unconditional, const at::Tensor& conditional, double scale);

/// Pulls the guided output's standard deviation (per batch item, over all other dims) back to the conditional
/// output's, by the share `phi`: Lin et al. 2023, eq. 15 and 16. phi 0 returns `guided` as it is.
at::Tensor rescale_guidance(const at::Tensor& guided, const at::Tensor& conditional, double phi);

}  // namespace zt::diffusion
