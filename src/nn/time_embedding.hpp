// SPDX-License-Identifier: Apache-2.0
// Diffusion time as a vector: a sinusoid (Ho et al. 2020), then two linear layers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/linear.hpp"
#include "params/param_source.hpp"

namespace zt::nn {

struct SinusoidOptions {
  int64_t width = 320;
  bool cos_first = true;  ///< diffusers' flip_sin_to_cos
  double freq_shift = 0;
};
/// timestep_B (any number type) -> fp32 (B, width): frequencies exp(-ln(10000) k / (width/2 - freq_shift)).
at::Tensor sinusoid(const at::Tensor& timestep_B, const SinusoidOptions& options);

struct TimeEmbedding {
  TimeEmbedding() = default;
  TimeEmbedding(const params::ParamSource& source, SinusoidOptions options, int64_t out_width);
  /// timestep_B -> SiLU of the embedding (B, out_width): every residual block starts with that SiLU, so it is
  /// done once.
  at::Tensor operator()(const at::Tensor& timestep_B) const;

  SinusoidOptions options;
  Linear linear_1, linear_2;
};

}  // namespace zt::nn
