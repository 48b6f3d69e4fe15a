// SPDX-License-Identifier: Apache-2.0
// See vae_encoder.hpp.
#include "models/vae/vae_encoder.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "nn/resample.hpp"

namespace zt::models {

namespace {

/// The encoder's log variance is clamped to this range (diffusers' DiagonalGaussianDistribution).
constexpr double kSmallestLogvar = -30, kLargestLogvar = 20;

}  // namespace

VaeEncoder::VaeEncoder(const VaeConfig& config, const params::ParamSource& root)
    : conv_in_(root.child("encoder.conv_in"), config.in_channels, config.block_out_channels.front()),
      middle_(root.child("encoder.mid_block"), config, config.block_out_channels.back()),
      norm_out_(root.child("encoder.conv_norm_out"), config.norm_num_groups, config.block_out_channels.back(),
                vae::kNormEps),
      conv_out_(root.child("encoder.conv_out"), config.block_out_channels.back(), 2 * config.latent_channels),
      quant_conv_(
          vae::pointwise(root.child("quant_conv"), 2 * config.latent_channels, 2 * config.latent_channels)) {
  int64_t width = config.block_out_channels.front();
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const params::ParamSource source = root.child("encoder").child("down_blocks", static_cast<int64_t>(i));
    vae::Level level;
    for (int64_t j = 0; j < config.layers_per_block; ++j) {
      level.resnets.push_back(
          vae::resnet(source.child("resnets", j), config, width, config.block_out_channels[i]));
      width = config.block_out_channels[i];
    }
    if (i + 1 < config.block_out_channels.size()) {
      level.resample =
          nn::Conv2d(source.child("downsamplers.0.conv"), width, width, {.stride = 2, .padding = 0});
    }
    levels_.push_back(std::move(level));
  }
}

Moments VaeEncoder::operator()(const at::Tensor& image_BCHW) const {
  at::Tensor h_NCHW = conv_in_(image_BCHW);
  for (const vae::Level& level : levels_) {
    for (const nn::ResnetBlock& block : level.resnets) h_NCHW = vae::run(block, h_NCHW);
    if (level.resample) h_NCHW = nn::downsample_asymmetric(h_NCHW, *level.resample);
  }
  h_NCHW = quant_conv_(conv_out_(at::silu(norm_out_(middle_(h_NCHW)))));
  const std::vector<at::Tensor> halves = h_NCHW.chunk(2, 1);
  return {halves[0], halves[1].clamp(kSmallestLogvar, kLargestLogvar)};
}

}  // namespace zt::models
