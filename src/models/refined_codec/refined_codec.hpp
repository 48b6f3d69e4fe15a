// SPDX-License-Identifier: Apache-2.0
// A linear codec whose pictures are corrected by a small trained decoder: decode(z) = linear(z) + refiner(z).
// Encoding stays the linear codec's, one strided convolution, so that latents cost nothing to make; the
// refiner, an AutoencoderKL decoder trained on what networks generate as well as on what pictures encode to,
// sharpens outlines and takes the patches' weave away. Folder: the linear codec's (linear_codec.hpp) with
// "_class_name": "RefinedCodec", and in it refiner/, config.json with AutoencoderKL's keys and
// diffusion_pytorch_model.safetensors with its "decoder.*" and "post_quant_conv.*".
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "models/latent_codec.hpp"
#include "models/linear_codec/linear_codec.hpp"
#include "models/vae/vae_config.hpp"
#include "models/vae/vae_decoder.hpp"
#include "params/param_store.hpp"

namespace zt::models {

class RefinedCodec final : public LatentCodec {
 public:
  /// In config.json.
  static constexpr const char* kClassName = "RefinedCodec";

  /// Errors: those of LinearCodec::open and of reading a network's folder; InvalidConfig if the refiner's
  /// channels or factor are not the linear codec's.
  static Result<std::unique_ptr<RefinedCodec>> open(const std::filesystem::path& folder,
                                                    at::Device device = at::kCPU);
  /// An untrained refiner: for tests. Requires: `config` fits the linear codec.
  static std::unique_ptr<RefinedCodec> random(LinearCodec linear, const VaeConfig& config, uint64_t seed);
  /// The refiner's sizes in the codec's folder.
  static Result<VaeConfig> read_refiner_config(const std::filesystem::path& folder);
  /// The refiner's parameters; its encoder does not exist.
  static params::ParamTable declare(const VaeConfig& config);

  int64_t scale_factor() const override { return linear_.scale_factor(); }
  int64_t channels() const override { return linear_.channels(); }
  /// The linear codec's picture waits for the refiner's.
  int64_t decoding_channels() const override { return 3 + models::decoding_channels(config_); }
  double scaling() const override { return linear_.scaling(); }
  std::string digest() const override { return digest_; }
  int64_t num_elements() const override { return linear_.num_elements() + store_->num_elements(); }
  Status save(const std::filesystem::path& folder) const override;

 private:
  Moments encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const override;
  at::Tensor decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const override;
  RefinedCodec(LinearCodec linear, const VaeConfig& config, std::unique_ptr<params::ParamStore> store);
  LinearCodec linear_;
  VaeConfig config_;
  std::unique_ptr<params::ParamStore> store_;
  VaeDecoder refiner_;
  std::string digest_;
};

}  // namespace zt::models
