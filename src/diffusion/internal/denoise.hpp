// SPDX-License-Identifier: Apache-2.0
// The one place of the three prediction formulas, for coefficients per batch item (tensors) or of one step
// (numbers).
#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/noise_schedule.hpp"

namespace zt::diffusion::internal {

/// x = signal_scale x0 + noise_scale eps, solved for x0 and eps in diffusers' order of operations.
template <class Coefficient>
Denoised denoise(Prediction prediction, const at::Tensor& output, const at::Tensor& noisy,
                 const Coefficient& signal_scale, const Coefficient& noise_scale) {
  switch (prediction) {
    case Prediction::Epsilon:
      return {(noisy - noise_scale * output) / signal_scale, output};
    case Prediction::Sample:
      return {output, (noisy - signal_scale * output) / noise_scale};
    case Prediction::VPrediction:
      break;
  }
  return {signal_scale * noisy - noise_scale * output, signal_scale * output + noise_scale * noisy};
}

}  // namespace zt::diffusion::internal
