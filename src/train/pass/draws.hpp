// SPDX-License-Identifier: Apache-2.0
// The random numbers of training, each a pure function of (run seed, what it is for, global sample number):
// nothing to save, nothing that threads, restarts or batch sizes could change. Shapes: C latent channels, F
// frames, h w latent size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "config/job/schedule_job.hpp"
#include "config/job/train_job.hpp"
#include "prepare/encoded_store.hpp"

namespace zt::train {

struct DrawKey {
  uint64_t seed = 0;
  uint64_t sample = 0;  ///< global number
};

/// Which stream of the posterior's noise.
enum class LatentRole { Target, Reference };

int64_t draw_timestep(const config::ScheduleJob& schedule, DrawKey key);

/// Whether this sample trains without its reference. Under DropoutScope::Batch the caller passes the number
/// of the batch's first sample for all of them.
bool draw_dropout(const config::ConditionJob& condition, DrawKey key);

/// Noise (C, F, h, w) of one sample: unit normal, plus noise_offset times one number per channel that all
/// frames share.
at::Tensor draw_noise(at::IntArrayRef shape_CFHW, double noise_offset, DrawKey key);

/// A latent (C, h, w) from its posterior, times `scaling`. `frame` numbers the latents of one sample.
at::Tensor draw_latent(const prepare::PictureMoments& moments, double scaling, LatentRole role, int64_t frame,
                       DrawKey key);

}  // namespace zt::train
