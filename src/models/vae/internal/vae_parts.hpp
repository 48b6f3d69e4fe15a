// SPDX-License-Identifier: Apache-2.0
// What AutoencoderKL's encoder and decoder are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "models/vae/vae_config.hpp"
#include "nn/attention/attention.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "nn/resnet_block.hpp"
#include "params/param_source.hpp"

namespace zt::models::vae {

inline constexpr double kNormEps = 1e-6;

inline nn::ResnetBlock resnet(const params::ParamSource& source, const VaeConfig& config, int64_t in,
                              int64_t out) {
  return nn::ResnetBlock(source, {.in_channels = in,
                                  .out_channels = out,
                                  .norm_num_groups = config.norm_num_groups,
                                  .norm_eps = kNormEps});
}

inline at::Tensor run(const nn::ResnetBlock& block, const at::Tensor& x_NCHW) {
  return block.forward(x_NCHW, /*time_silu_BE=*/{}, /*frames=*/1);
}

/// Self-attention of one head over all positions, with its norm and residual inside.
struct PositionAttention {
  PositionAttention(const params::ParamSource& source, int64_t groups, int64_t width)
      : norm(source.child("group_norm"), groups, width, kNormEps),
        attention(source, {.width = width, .context_width = width, .heads = 1, .qkv_bias = true}) {}

  at::Tensor operator()(const at::Tensor& x_NCHW) const {
    const at::Tensor tokens_NSC = norm(x_NCHW).flatten(2).transpose(1, 2);
    return attention.forward(tokens_NSC, tokens_NSC).transpose(1, 2).reshape(x_NCHW.sizes()).add(x_NCHW);
  }

  nn::GroupNorm norm;
  nn::Attention attention;
};

struct Middle {
  Middle(const params::ParamSource& source, const VaeConfig& config, int64_t width)
      : first(resnet(source.child("resnets.0"), config, width, width)),
        attention(source.child("attentions.0"), config.norm_num_groups, width),
        second(resnet(source.child("resnets.1"), config, width, width)) {}

  at::Tensor operator()(const at::Tensor& x_NCHW) const { return run(second, attention(run(first, x_NCHW))); }

  nn::ResnetBlock first;
  PositionAttention attention;
  nn::ResnetBlock second;
};

struct Level {
  std::vector<nn::ResnetBlock> resnets;
  std::optional<nn::Conv2d> resample;
};

inline nn::Conv2d pointwise(const params::ParamSource& source, int64_t in, int64_t out) {
  return nn::Conv2d(source, in, out, {.kernel = 1, .padding = 0});
}

}  // namespace zt::models::vae
