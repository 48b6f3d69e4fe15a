// SPDX-License-Identifier: Apache-2.0
// A codec that needs no training: the principal components of p x p picture patches, each divided by the
// square root of its standard deviation and all scaled to mean variance 1. Encoding and decoding are one
// strided convolution each. Folder: config.json {"_class_name": "LinearCodec", "patch_size",
// "latent_channels", "scaling_factor"} and diffusion_pytorch_model.safetensors with mean (3*p*p), encoder (C,
// 3*p*p), decoder (3*p*p, C).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "models/latent_codec.hpp"

namespace zt::models {

class LinearCodec final : public LatentCodec {
 public:
  struct Options {
    int64_t patch_size = 4;
    int64_t latent_channels = 16;
    /// Component k is divided by sd_k to this power; 0 = plain PCA, 1 = all variances equal.
    double whitening = 0.5;
  };
  /// Fits to pictures (N, 3, H, W) in [-1, 1] whose sides are multiples of the patch. Same pictures, same
  /// codec.
  static LinearCodec fit(const at::Tensor& images_NCHW, const Options& options);
  static LinearCodec fit(const at::Tensor& images_NCHW) { return fit(images_NCHW, Options{}); }
  static Result<std::unique_ptr<LinearCodec>> open(const std::filesystem::path& folder,
                                                   at::Device device = at::kCPU);
  int64_t scale_factor() const override { return patch_size_; }
  int64_t channels() const override { return encoder_CP_.size(0); }
  /// The patches, and the picture they are put together to.
  int64_t decoding_channels() const override { return 6; }
  double scaling() const override { return 1.0; }
  std::string digest() const override;
  int64_t num_elements() const override {
    return mean_P_.numel() + encoder_CP_.numel() + decoder_PC_.numel();
  }
  Status save(const std::filesystem::path& folder) const override;
  /// For a codec that adds to this one's folder: config.json names that one's class.
  Status save_as(const char* class_name, const std::filesystem::path& folder) const;

 private:
  Moments encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const override;
  at::Tensor decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const override;
  LinearCodec(int64_t patch_size, at::Tensor mean_P, at::Tensor encoder_CP, at::Tensor decoder_PC);
  int64_t patch_size_;
  at::Tensor mean_P_, encoder_CP_, decoder_PC_;
  at::Tensor encode_bias_C_;  ///< what subtracting the mean becomes in the encoding convolution
};

}  // namespace zt::models
