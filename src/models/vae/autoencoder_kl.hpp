// SPDX-License-Identifier: Apache-2.0
// AutoencoderKL, Stable Diffusion's VAE (Rombach et al. 2022), from diffusers' config.json. Frozen.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "models/latent_codec.hpp"
#include "models/vae/vae_config.hpp"
#include "params/param_source.hpp"

namespace zt::models {

class VaeEncoder;
class VaeDecoder;

/// The network alone; VaeCodec (vae_codec.hpp) owns its weights too.
class AutoencoderKL {
 public:
  AutoencoderKL(const VaeConfig& config, const params::ParamSource& source);
  ~AutoencoderKL();
  AutoencoderKL(AutoencoderKL&&) noexcept;
  /// (B, 3, H, W) in [-1, 1] -> moments at H/f, W/f.
  Moments encode(const at::Tensor& image_BCHW) const;
  at::Tensor decode(const at::Tensor& latents_BCHW) const;
  const VaeConfig& config() const { return config_; }

 private:
  VaeConfig config_;
  std::unique_ptr<VaeEncoder> encoder_;
  std::unique_ptr<VaeDecoder> decoder_;
};

}  // namespace zt::models
