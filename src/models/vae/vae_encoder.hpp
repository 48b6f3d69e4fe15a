// SPDX-License-Identifier: Apache-2.0
// AutoencoderKL's encoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/latent_codec.hpp"
#include "models/vae/internal/vae_parts.hpp"
#include "models/vae/vae_config.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "params/param_source.hpp"

namespace zt::models {

class VaeEncoder {
 public:
  /// Declares or binds "encoder.*" and "quant_conv" below `root`.
  VaeEncoder(const VaeConfig& config, const params::ParamSource& root);
  /// (B, 3, H, W) in [-1, 1] -> moments at H/f, W/f.
  Moments operator()(const at::Tensor& image_BCHW) const;

 private:
  nn::Conv2d conv_in_;
  std::vector<vae::Level> levels_;
  vae::Middle middle_;
  nn::GroupNorm norm_out_;
  nn::Conv2d conv_out_, quant_conv_;
};

}  // namespace zt::models
