// SPDX-License-Identifier: Apache-2.0
// AutoencoderKL's decoder; also what refines a linear codec (refined_codec/).
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/vae/internal/vae_parts.hpp"
#include "models/vae/vae_config.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "params/param_source.hpp"

namespace zt::models {

class VaeDecoder {
 public:
  /// Declares or binds "decoder.*" and "post_quant_conv" below `root`.
  VaeDecoder(const VaeConfig& config, const params::ParamSource& root);
  /// (B, C, h, w) -> (B, config.out_channels, h f, w f).
  at::Tensor operator()(const at::Tensor& latents_BCHW) const;

 private:
  nn::Conv2d post_quant_conv_, conv_in_;
  vae::Middle middle_;
  std::vector<vae::Level> levels_;
  nn::GroupNorm norm_out_;
  nn::Conv2d conv_out_;
};

}  // namespace zt::models
