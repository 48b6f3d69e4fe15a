// SPDX-License-Identifier: Apache-2.0
// A codec between pictures and latents: AutoencoderKL (vae/), the linear one (linear_codec/) or the linear
// one with a trained decoder behind it (refined_codec/). Latents that the UNets see are codec latents times
// scaling().
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.hpp"

namespace zt::models {

/// A diagonal Gaussian over latents. A deterministic codec has log variance -30, the clamp's floor.
struct Moments {
  at::Tensor mean_BCHW;
  at::Tensor logvar_BCHW;
  /// mean + exp(logvar / 2) * noise.
  at::Tensor sample(const at::Tensor& noise_BCHW) const;
};

class LatentCodec {
 public:
  virtual ~LatentCodec() = default;
  /// image_BCHW in [-1, 1]; H and W must be multiples of scale_factor(). At most `chunk` pictures at a time.
  Moments encode(const at::Tensor& image_BCHW, int64_t chunk = kChunk) const {
    return encode_in_chunks(image_BCHW, chunk);
  }
  /// Unscaled latents -> pictures, about [-1, 1], not clamped.
  at::Tensor decode(const at::Tensor& latents_BCHW, int64_t chunk = kChunk) const {
    return decode_in_chunks(latents_BCHW, chunk);
  }
  virtual int64_t scale_factor() const = 0;  ///< pixels per latent pixel
  virtual int64_t channels() const = 0;      ///< of a latent
  /// Channels of numbers at picture size that decoding one picture holds at once: for estimates of memory.
  virtual int64_t decoding_channels() const = 0;
  virtual double scaling() const = 0;  ///< what latents are multiplied with for the UNets (0.18215)
  /// Identifies the weights: part of a cache key.
  virtual std::string digest() const = 0;
  /// Numbers that save() writes.
  virtual int64_t num_elements() const = 0;
  /// Writes a folder that open_latent_codec reads.
  virtual Status save(const std::filesystem::path& folder) const = 0;

 private:
  /// Of every codec: how many pictures are worked on together may change the last bits of a latent.
  static constexpr int64_t kChunk = 8;
  virtual Moments encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const = 0;
  virtual at::Tensor decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const = 0;
};

/// Opens a codec folder: config.json says which kind, the weights lie beside it.
Result<std::unique_ptr<LatentCodec>> open_latent_codec(const std::filesystem::path& folder,
                                                       at::Device device = at::kCPU);

}  // namespace zt::models
