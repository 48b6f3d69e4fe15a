// SPDX-License-Identifier: Apache-2.0
// ClipVisionConfig from and to JSON: see clip_vision.hpp. Class defaults: transformers' CLIPVisionConfig.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/clip_vision/clip_vision.hpp"
#include "models/internal/config_reader.hpp"
#include "models/internal/largest_sizes.hpp"

namespace zt::models {

using Json = nlohmann::ordered_json;

namespace {

/// Calls visit(key, field) for every key of the tower.
template <class Config, class Visit>
void visit_keys(Config& config, const Visit& visit) {
  visit("hidden_size", config.hidden_size);
  visit("intermediate_size", config.intermediate_size);
  visit("num_hidden_layers", config.num_layers);
  visit("num_attention_heads", config.num_heads);
  visit("num_channels", config.num_channels);
  visit("image_size", config.image_size);
  visit("patch_size", config.patch_size);
  visit("projection_dim", config.projection_dim);
  visit("layer_norm_eps", config.layer_norm_eps);
  visit("hidden_act", config.hidden_act);
}

void read_keys(internal::ConfigReader& reader, ClipVisionConfig& config) {
  visit_keys(config, [&](const char* key, auto& field) { reader.read(key, field); });
}

}  // namespace

Result<ClipVisionConfig> parse_clip_vision_config(std::string_view json) {
  ZT_TRY_ASSIGN(auto reader, internal::ConfigReader::parse(json, "image encoder config.json"));
  ClipVisionConfig config;
  if (reader.has("vision_config")) {
    // A full CLIP model: its own projection_dim is the one that its visual_projection has.
    internal::ConfigReader vision = reader.object("vision_config");
    read_keys(vision, config);
    reader.absorb(vision);
    reader.read("projection_dim", config.projection_dim);
    ZT_TRY(reader.status());
  } else {
    read_keys(reader, config);
    ZT_TRY(reader.status());
    config.foreign_json = reader.foreign();
  }
  ZT_TRY(validate(config));
  return config;
}

std::string to_json(const ClipVisionConfig& config) {
  Json out = internal::with_foreign(
      {{"architectures", {"CLIPVisionModelWithProjection"}}, {"model_type", "clip_vision_model"}},
      config.foreign_json);
  visit_keys(config, [&](const char* key, const auto& field) { out[key] = field; });
  return out.dump(2) + "\n";
}

Status validate(const ClipVisionConfig& config) {
  const auto refuse = [](std::string what) {
    return fail(ErrorCode::InvalidConfig, "image encoder config: " + std::move(what));
  };
  if (config.num_layers <= 0 || config.num_layers > internal::kMostLayers)
    return refuse(fmt::format("num_layers must be 1 to {}", internal::kMostLayers));
  for (const int64_t size :
       {config.hidden_size, config.intermediate_size, config.num_layers, config.num_heads,
        config.num_channels, config.image_size, config.patch_size, config.projection_dim}) {
    if (size <= 0 || size > internal::kLargestSize)
      return refuse(fmt::format("every size must be 1 to {}", internal::kLargestSize));
  }
  if (config.hidden_size % config.num_heads != 0) {
    return refuse(fmt::format("{} heads do not divide hidden_size {}", config.num_heads, config.hidden_size));
  }
  if (config.image_size < config.patch_size) {
    return refuse(
        fmt::format("patch_size {} is larger than image_size {}", config.patch_size, config.image_size));
  }
  if (config.hidden_act != "quick_gelu" && config.hidden_act != "gelu") {
    return refuse(fmt::format("hidden_act must be quick_gelu or gelu, found {}", config.hidden_act));
  }
  return {};
}

}  // namespace zt::models
