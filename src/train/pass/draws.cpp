// SPDX-License-Identifier: Apache-2.0
// See draws.hpp.
#include "train/pass/draws.hpp"

#include <ATen/ATen.h>

#include "base/counter_rng.hpp"
#include "diffusion/noise_schedule.hpp"
#include "diffusion/timesteps.hpp"
#include "tensor/noise.hpp"

namespace zt::train {
namespace {

/// Purpose words of the streams. Frame f of a posterior uses its word + f, so the posteriors stand last and
/// far apart.
enum Purpose : uint32_t {
  kTimestep = 0x54520001,
  kDropout,
  kNoise,
  kNoiseOffset,
  kReferencePosterior,
  kTargetPosterior = 0x54530000,
};

}  // namespace

int64_t draw_timestep(const config::ScheduleJob& schedule, DrawKey key) {
  CounterRng rng(key.seed, kTimestep, key.sample);
  return diffusion::timestep_at(schedule.timestep_distribution, schedule.timestep_power, rng.uniform(),
                                schedule.num_train_timesteps);
}

bool draw_dropout(const config::ConditionJob& condition, DrawKey key) {
  return CounterRng(key.seed, kDropout, key.sample).uniform() < condition.uncond_ratio;
}

at::Tensor draw_noise(at::IntArrayRef shape_CFHW, double noise_offset, DrawKey key) {
  const at::Tensor noise = tensor::normal(shape_CFHW, {key.seed, kNoise, key.sample});
  if (noise_offset == 0) return noise;
  const at::Tensor offset_C111 =
      tensor::normal({shape_CFHW[0], 1, 1, 1}, {key.seed, kNoiseOffset, key.sample});
  return diffusion::offset_noise(noise, offset_C111, noise_offset);
}

at::Tensor draw_latent(const prepare::PictureMoments& moments, double scaling, LatentRole role, int64_t frame,
                       DrawKey key) {
  if (!moments.logvar_CHW.defined()) return moments.mean_CHW * scaling;
  const uint32_t purpose =
      role == LatentRole::Reference ? kReferencePosterior : kTargetPosterior + static_cast<uint32_t>(frame);
  const at::Tensor noise = tensor::normal(moments.mean_CHW.sizes(), {key.seed, purpose, key.sample});
  return (moments.mean_CHW + (moments.logvar_CHW * 0.5).exp() * noise) * scaling;
}

}  // namespace zt::train
