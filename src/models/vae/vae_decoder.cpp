// SPDX-License-Identifier: Apache-2.0
// See vae_decoder.hpp.
#include "models/vae/vae_decoder.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

#include "nn/resample.hpp"

namespace zt::models {

VaeDecoder::VaeDecoder(const VaeConfig& config, const params::ParamSource& root)
    : post_quant_conv_(
          vae::pointwise(root.child("post_quant_conv"), config.latent_channels, config.latent_channels)),
      conv_in_(root.child("decoder.conv_in"), config.latent_channels, config.block_out_channels.back()),
      middle_(root.child("decoder.mid_block"), config, config.block_out_channels.back()),
      norm_out_(root.child("decoder.conv_norm_out"), config.norm_num_groups,
                config.block_out_channels.front(), vae::kNormEps),
      conv_out_(root.child("decoder.conv_out"), config.block_out_channels.front(), config.out_channels) {
  std::vector<int64_t> widths = config.block_out_channels;
  std::reverse(widths.begin(), widths.end());
  int64_t width = widths.front();
  for (size_t i = 0; i < widths.size(); ++i) {
    const params::ParamSource source = root.child("decoder").child("up_blocks", static_cast<int64_t>(i));
    vae::Level level;
    for (int64_t j = 0; j < config.layers_per_block + 1; ++j) {
      level.resnets.push_back(vae::resnet(source.child("resnets", j), config, width, widths[i]));
      width = widths[i];
    }
    if (i + 1 < widths.size()) level.resample = nn::Conv2d(source.child("upsamplers.0.conv"), width, width);
    levels_.push_back(std::move(level));
  }
}

at::Tensor VaeDecoder::operator()(const at::Tensor& latents_BCHW) const {
  at::Tensor h_NCHW = middle_(conv_in_(post_quant_conv_(latents_BCHW)));
  for (const vae::Level& level : levels_) {
    for (const nn::ResnetBlock& block : level.resnets) h_NCHW = vae::run(block, h_NCHW);
    if (level.resample)
      h_NCHW = nn::upsample(h_NCHW, 2 * h_NCHW.size(2), 2 * h_NCHW.size(3), *level.resample);
  }
  return conv_out_(at::silu(norm_out_(h_NCHW)));
}

}  // namespace zt::models
