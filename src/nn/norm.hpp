// SPDX-License-Identifier: Apache-2.0
// Group and layer normalisation.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "params/param_source.hpp"

namespace zt::nn {

struct GroupNorm {
  GroupNorm() = default;
  GroupNorm(const params::ParamSource& source, int64_t num_groups, int64_t channels, double eps);
  /// Statistics per picture: x_NCHW.
  at::Tensor operator()(const at::Tensor& x_NCHW) const;
  /// Statistics over the frames of a clip: x is (B * frames, C, H, W), frame index fastest.
  at::Tensor over_frames(const at::Tensor& x_NCHW, int64_t frames) const;

  at::Tensor weight_C, bias_C;
  int64_t num_groups = 32;
  double eps = 1e-5;
};

struct LayerNorm {
  LayerNorm() = default;
  LayerNorm(const params::ParamSource& source, int64_t width, double eps = 1e-5);
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight_D, bias_D;
  double eps = 1e-5;
};

}  // namespace zt::nn
