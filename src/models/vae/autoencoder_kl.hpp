// SPDX-License-Identifier: Apache-2.0
// AutoencoderKL, Stable Diffusion's VAE (Rombach et al. 2022), from diffusers' config.json. Frozen.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/latent_codec.hpp"
#include "params/param_source.hpp"

namespace zt::models {

struct VaeConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<int64_t> block_out_channels = {64};
  int64_t layers_per_block = 1;
  int64_t latent_channels = 4;
  int64_t norm_num_groups = 32;
  int64_t sample_size = 32;
  double scaling_factor = 0.18215;
  std::string foreign_json = "{}";  ///< the keys of the file that no field above holds
  int64_t scale_factor() const { return int64_t{1} << (block_out_channels.size() - 1); }
};
Result<VaeConfig> parse_vae_config(std::string_view json);
std::string to_json(const VaeConfig& config);
Status validate(const VaeConfig& config);

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
