// SPDX-License-Identifier: Apache-2.0
// The residual block of diffusion UNets and their VAE: norm, SiLU, convolution, time, norm, SiLU,
// convolution, shortcut.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "params/param_source.hpp"

namespace zt::nn {

struct ResnetOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t time_width = 0;  ///< 0: no time input (VAE)
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool norm_over_frames = false;  ///< group norm statistics over all frames of a clip
};

struct ResnetBlock {
  ResnetBlock() = default;
  ResnetBlock(const params::ParamSource& source, const ResnetOptions& options);
  /// x is (B * frames, C, H, W), frame index fastest; time_silu_BE one row per clip, undefined for a block
  /// without time.
  at::Tensor forward(const at::Tensor& x_NCHW, const at::Tensor& time_silu_BE, int64_t frames) const;

  GroupNorm norm1, norm2;
  Conv2d conv1, conv2;
  Linear time_emb_proj;
  std::optional<Conv2d> conv_shortcut;
  bool norm_over_frames = false;

 private:
  at::Tensor normalize(const GroupNorm& norm, const at::Tensor& x, int64_t frames) const;
};

}  // namespace zt::nn
