// SPDX-License-Identifier: Apache-2.0
// CLIP's image encoder with projection (Radford et al. 2021), from transformers' config.json. Frozen. Its
// embedding of the reference picture is the one context token of both UNets.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "params/param_store.hpp"

namespace zt::models {

struct ClipVisionConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_layers = 12;
  int64_t num_heads = 12;
  int64_t num_channels = 3;
  int64_t image_size = 224;
  int64_t patch_size = 32;
  int64_t projection_dim = 512;
  double layer_norm_eps = 1e-5;
  std::string hidden_act = "quick_gelu";  ///< or "gelu"
  std::string foreign_json = "{}";        ///< the keys of the file that no field above holds
};
/// Reads a vision config or a full CLIP config (vision_config inside, projection_dim on top).
Result<ClipVisionConfig> parse_clip_vision_config(std::string_view json);
std::string to_json(const ClipVisionConfig& config);
Status validate(const ClipVisionConfig& config);

class ClipVision {
 public:
  ClipVision(const ClipVisionConfig& config, const params::ParamSource& source);
  /// pixels_BCHW: preprocessed (normalised) pictures of image_size -> embeddings (B, projection_dim), not
  /// normalised.
  at::Tensor embed(const at::Tensor& pixels_BCHW) const;
  /// Every token after the last layer, before post_layernorm: (B, S, hidden_size), the class token first.
  at::Tensor last_hidden(const at::Tensor& pixels_BCHW) const;
  const ClipVisionConfig& config() const { return config_; }

 private:
  struct Layer {
    nn::LayerNorm norm1, norm2;
    nn::Linear q, k, v, out, fc1, fc2;
  };
  at::Tensor run_layer(const Layer& layer, const at::Tensor& x_BSD) const;
  ClipVisionConfig config_;
  nn::Conv2d patch_embedding_;
  at::Tensor class_embedding_D_, position_embedding_SD_;
  nn::LayerNorm pre_norm_, post_norm_;
  std::vector<Layer> layers_;
  nn::Linear projection_;
};

/// ClipVision with its own frozen weights.
class ClipEncoder {
 public:
  /// Reads config.json and model.safetensors or pytorch_model.bin of a transformers folder.
  static Result<std::unique_ptr<ClipEncoder>> open(const std::filesystem::path& folder,
                                                   at::Device device = at::kCPU);
  /// Random weights: an embedding that tells pictures apart, for small models that learn what it means.
  static std::unique_ptr<ClipEncoder> random(const ClipVisionConfig& config, uint64_t seed,
                                             at::Device device = at::kCPU);
  /// The names of `network` "clip".
  static params::ParamTable declare(const ClipVisionConfig& config);
  ClipEncoder(const ClipVisionConfig& config, std::unique_ptr<params::ParamStore> store,
              std::string_view network = "clip");
  /// As ClipVision::embed, without gradients, at most `chunk` pictures at a time.
  at::Tensor embed(const at::Tensor& pixels_BCHW, int64_t chunk = 16) const;
  const ClipVisionConfig& config() const { return net_.config(); }
  std::string digest() const { return digest_; }
  /// Numbers that save() writes.
  int64_t num_elements() const { return store_->num_elements(); }
  /// Writes a folder that open() reads.
  Status save(const std::filesystem::path& folder) const;

 private:
  std::unique_ptr<params::ParamStore> store_;
  std::string network_;
  ClipVision net_;
  std::string digest_;
};

}  // namespace zt::models
