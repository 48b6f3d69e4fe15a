// SPDX-License-Identifier: Apache-2.0
// See autoencoder_kl.hpp.
#include "models/vae/autoencoder_kl.hpp"

#include "models/vae/vae_decoder.hpp"
#include "models/vae/vae_encoder.hpp"
#include "tensor/require.hpp"

namespace zt::models {

AutoencoderKL::AutoencoderKL(const VaeConfig& config, const params::ParamSource& source)
    : config_(config),
      encoder_(std::make_unique<VaeEncoder>(config, source)),
      decoder_(std::make_unique<VaeDecoder>(config, source)) {}
AutoencoderKL::~AutoencoderKL() = default;
AutoencoderKL::AutoencoderKL(AutoencoderKL&&) noexcept = default;

Moments AutoencoderKL::encode(const at::Tensor& image_BCHW) const {
  const int64_t factor = config_.scale_factor();
  ZT_REQUIRE(image_BCHW.dim() == 4 && image_BCHW.size(1) == config_.in_channels &&
                 image_BCHW.size(2) % factor == 0 && image_BCHW.size(3) % factor == 0,
             "wanted pictures (B, ", config_.in_channels, ", H, W) with sides that are multiples of ", factor,
             ", got ", image_BCHW);
  return (*encoder_)(image_BCHW);
}

at::Tensor AutoencoderKL::decode(const at::Tensor& latents_BCHW) const {
  ZT_REQUIRE(latents_BCHW.dim() == 4 && latents_BCHW.size(1) == config_.latent_channels,
             "wanted latents (B, ", config_.latent_channels, ", H, W), got ", latents_BCHW);
  return (*decoder_)(latents_BCHW);
}

}  // namespace zt::models
