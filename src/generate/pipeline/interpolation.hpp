// SPDX-License-Identifier: Apache-2.0
// More frames from few: mixes of neighbouring latents before decoding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "config/job/generate_job.hpp"

namespace zt::generate {

/// Number of frames after interpolation by `factor`: (num_frames - 1) * factor + 1.
int64_t interpolated_frames(int64_t num_frames, int64_t factor);

/// Frame `index` of the interpolated clip as (C, H, W): an original where factor divides it, else the mix of
/// its two neighbours. Slerp turns on the great circle of the whole latents; linear where they are nearly
/// parallel (cosine above 0.9995). Shapes: latents_CFHW. Requires: 0 <= index < interpolated_frames(F,
/// factor).
at::Tensor interpolated_frame(const at::Tensor& latents_CFHW, int64_t factor, config::InterpolationKind kind,
                              int64_t index);

}  // namespace zt::generate
