// SPDX-License-Identifier: Apache-2.0
// AutoencoderKL with its own frozen weights, as a LatentCodec.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "models/latent_codec.hpp"
#include "models/vae/autoencoder_kl.hpp"
#include "params/param_store.hpp"

namespace zt::models {

class VaeCodec final : public LatentCodec {
 public:
  /// `store` holds the network's parameters under `network`.
  VaeCodec(const VaeConfig& config, std::unique_ptr<params::ParamStore> store,
           std::string_view network = "vae");
  /// The names of `network` "vae".
  static params::ParamTable declare(const VaeConfig& config);
  /// Untrained: for tests and benchmarks.
  static std::unique_ptr<VaeCodec> random(const VaeConfig& config, uint64_t seed,
                                          at::Device device = at::kCPU);
  /// Reads config.json and diffusion_pytorch_model.{safetensors,bin} of a diffusers folder.
  static Result<std::unique_ptr<VaeCodec>> open(const std::filesystem::path& folder,
                                                at::Device device = at::kCPU);

  int64_t scale_factor() const override { return net_.config().scale_factor(); }
  int64_t channels() const override { return net_.config().latent_channels; }
  int64_t decoding_channels() const override { return models::decoding_channels(net_.config()); }
  double scaling() const override { return net_.config().scaling_factor; }
  std::string digest() const override { return digest_; }
  int64_t num_elements() const override { return store_->num_elements(); }
  Status save(const std::filesystem::path& folder) const override;

 private:
  Moments encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const override;
  at::Tensor decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const override;
  std::unique_ptr<params::ParamStore> store_;
  std::string network_;
  AutoencoderKL net_;
  std::string digest_;
};

}  // namespace zt::models
