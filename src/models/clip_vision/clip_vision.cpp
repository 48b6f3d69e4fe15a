// SPDX-License-Identifier: Apache-2.0
// See clip_vision.hpp. S = 1 + patches: the class token comes first.
#include "models/clip_vision/clip_vision.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "models/internal/frozen_network.hpp"
#include "nn/attention/attention.hpp"
#include "tensor/require.hpp"
#include "weights/names.hpp"

namespace zt::models {
namespace {

/// Start of the position table, as transformers' initializer_range.
constexpr float kPositionInit = 0.02F;
/// x * sigmoid(1.702 x), OpenAI's approximation of GELU.
constexpr double kQuickGeluSlope = 1.702;

int64_t num_tokens(const ClipVisionConfig& config) {
  const int64_t side = config.image_size / config.patch_size;
  return side * side + 1;
}

at::Tensor activate(const ClipVisionConfig& config, const at::Tensor& x) {
  return config.hidden_act == "gelu" ? at::gelu(x) : x * at::sigmoid(x * kQuickGeluSlope);
}

}  // namespace

ClipVision::ClipVision(const ClipVisionConfig& config, const params::ParamSource& root) : config_(config) {
  const int64_t width = config.hidden_size;
  const params::ParamSource source = root.child("vision_model"), embeddings = source.child("embeddings");
  class_embedding_D_ = embeddings.parameter(
      "class_embedding", {width}, params::Init::normal(1.0F / std::sqrt(static_cast<float>(width))));
  patch_embedding_ =
      nn::Conv2d(embeddings.child("patch_embedding"), config.num_channels, width,
                 {.kernel = config.patch_size, .stride = config.patch_size, .padding = 0, .bias = false});
  position_embedding_SD_ =
      embeddings.child("position_embedding")
          .parameter("weight", {num_tokens(config), width}, params::Init::normal(kPositionInit));
  // The reference's own spelling.
  pre_norm_ = nn::LayerNorm(source.child("pre_layrnorm"), width, config.layer_norm_eps);
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const params::ParamSource layer = source.child("encoder.layers", i), attention = layer.child("self_attn");
    layers_.push_back({.norm1 = nn::LayerNorm(layer.child("layer_norm1"), width, config.layer_norm_eps),
                       .norm2 = nn::LayerNorm(layer.child("layer_norm2"), width, config.layer_norm_eps),
                       .q = nn::Linear(attention.child("q_proj"), width, width),
                       .k = nn::Linear(attention.child("k_proj"), width, width),
                       .v = nn::Linear(attention.child("v_proj"), width, width),
                       .out = nn::Linear(attention.child("out_proj"), width, width),
                       .fc1 = nn::Linear(layer.child("mlp.fc1"), width, config.intermediate_size),
                       .fc2 = nn::Linear(layer.child("mlp.fc2"), config.intermediate_size, width)});
  }
  post_norm_ = nn::LayerNorm(source.child("post_layernorm"), width, config.layer_norm_eps);
  projection_ = nn::Linear(root.child("visual_projection"), width, config.projection_dim, {.bias = false});
}

at::Tensor ClipVision::run_layer(const Layer& layer, const at::Tensor& x_BSD) const {
  const at::Tensor n_BSD = layer.norm1(x_BSD);
  const at::Tensor h_BSD =
      x_BSD + layer.out(nn::attend(layer.q(n_BSD), layer.k(n_BSD), layer.v(n_BSD), config_.num_heads));
  return h_BSD + layer.fc2(activate(config_, layer.fc1(layer.norm2(h_BSD))));
}

at::Tensor ClipVision::last_hidden(const at::Tensor& pixels_BCHW) const {
  ZT_REQUIRE(pixels_BCHW.dim() == 4 && pixels_BCHW.size(1) == config_.num_channels &&
                 pixels_BCHW.size(2) == config_.image_size && pixels_BCHW.size(3) == config_.image_size,
             "wanted pictures (B, ", config_.num_channels, ", ", config_.image_size, ", ", config_.image_size,
             "), got ", pixels_BCHW);
  const at::Tensor patches_BSD = patch_embedding_(pixels_BCHW).flatten(2).transpose(1, 2);
  const at::Tensor class_B1D = class_embedding_D_.expand({pixels_BCHW.size(0), 1, -1});
  at::Tensor h_BSD = pre_norm_(at::cat({class_B1D, patches_BSD}, 1) + position_embedding_SD_);
  for (const Layer& layer : layers_) h_BSD = run_layer(layer, h_BSD);
  return h_BSD;
}

at::Tensor ClipVision::embed(const at::Tensor& pixels_BCHW) const {
  return projection_(post_norm_(last_hidden(pixels_BCHW).select(1, 0)));
}

ClipEncoder::ClipEncoder(const ClipVisionConfig& config, std::unique_ptr<params::ParamStore> store,
                         std::string_view network)
    : store_(std::move(store)),
      network_(network),
      net_(config, store_->source(network)),
      digest_(store_->digest(network_ + ".")) {}

params::ParamTable ClipEncoder::declare(const ClipVisionConfig& config) {
  params::ParamTable table;
  ClipVision(config, params::ParamSource(table, "clip"));
  return table;
}

std::unique_ptr<ClipEncoder> ClipEncoder::random(const ClipVisionConfig& config, uint64_t seed,
                                                 at::Device device) {
  return std::make_unique<ClipEncoder>(config, internal::make_frozen_store(declare(config), seed, device));
}

Result<std::unique_ptr<ClipEncoder>> ClipEncoder::open(const std::filesystem::path& folder,
                                                       at::Device device) {
  ZT_TRY_ASSIGN(const std::string json, internal::read_model_config(folder));
  ZT_TRY_ASSIGN(const ClipVisionConfig config, parse_clip_vision_config(json));
  ZT_TRY_ASSIGN(auto store, internal::load_frozen_store(declare(config), "clip", folder,
                                                        weights::clip_vision_name, device));
  return std::make_unique<ClipEncoder>(config, std::move(store));
}

Status ClipEncoder::save(const std::filesystem::path& folder) const {
  return internal::save_model_folder(*store_, network_, folder, to_json(net_.config()), "model");
}

at::Tensor ClipEncoder::embed(const at::Tensor& pixels_BCHW, int64_t chunk) const {
  return internal::in_chunks(pixels_BCHW, chunk, [&](const at::Tensor& part) { return net_.embed(part); });
}

}  // namespace zt::models
