// SPDX-License-Identifier: Apache-2.0
// Writes a UNetConfig as config.json: see config.hpp.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "models/internal/config_reader.hpp"
#include "models/unet/config.hpp"

namespace zt::models {
namespace {

using Json = nlohmann::ordered_json;

Json block_types(const std::vector<bool>& has_attention, std::string_view stem, std::string_view suffix) {
  Json out = Json::array();
  for (const bool attention : has_attention)
    out.push_back(fmt::format("{}{}Block{}", attention ? "CrossAttn" : "", stem, suffix));
  return out;
}

/// One number where all levels agree, as diffusers writes it.
Json per_level(const std::vector<int64_t>& values) {
  for (const int64_t value : values) {
    if (value != values.front()) return values;
  }
  return values.front();
}

void write_2d_keys(Json& out, const UNetConfig& config, std::string_view suffix) {
  out["sample_size"] = config.sample_size;
  out["in_channels"] = config.in_channels;
  out["out_channels"] = config.out_channels;
  out["flip_sin_to_cos"] = config.flip_sin_to_cos;
  out["freq_shift"] = config.freq_shift;
  out["down_block_types"] = block_types(config.down_has_attention, "Down", suffix);
  out["mid_block_type"] = fmt::format("UNetMidBlock{}CrossAttn", suffix);
  out["up_block_types"] = block_types(config.up_has_attention, "Up", suffix);
  out["block_out_channels"] = config.block_out_channels;
  out["layers_per_block"] = per_level(config.layers_per_block);
  out["downsample_padding"] = config.downsample_padding;
  out["norm_num_groups"] = config.norm_num_groups;
  out["norm_eps"] = config.norm_eps;
  out["cross_attention_dim"] = config.cross_attention_dim;
  out["attention_head_dim"] = per_level(config.num_heads);
  out["use_linear_projection"] = config.use_linear_projection;
}

void write_3d_keys(Json& out, const UNetConfig& config) {
  const MotionConfig& motion = config.motion;
  out["use_inflated_groupnorm"] = config.use_inflated_groupnorm;
  out["use_motion_module"] = motion.enabled;
  out["motion_module_resolutions"] = motion.resolutions;
  out["motion_module_mid_block"] = motion.mid_block;
  out["motion_module_decoder_only"] = motion.decoder_only;
  out["motion_module_type"] = motion.enabled ? Json("Vanilla") : Json(nullptr);
  if (motion.norm_num_groups != MotionConfig{}.norm_num_groups)
    out["motion_norm_num_groups"] = motion.norm_num_groups;
  out["motion_module_kwargs"] = {
      {"num_attention_heads", motion.num_heads},
      {"num_transformer_block", motion.num_blocks},
      {"attention_block_types",
       std::vector<std::string>(static_cast<size_t>(motion.num_attentions), "Temporal_Self")},
      {"temporal_position_encoding", motion.position_encoding},
      {"temporal_position_encoding_max_len", motion.max_positions},
      {"temporal_attention_dim_div", motion.attention_dim_div},
      {"zero_initialize", motion.zero_initialize},
  };
}

}  // namespace

std::string to_json(const UNetConfig& config, UNetClass kind) {
  const bool is_3d = kind == UNetClass::Denoising3D;
  Json out = {{"_class_name", is_3d ? "UNet3DConditionModel" : "UNet2DConditionModel"}};
  write_2d_keys(out, config, is_3d ? "3D" : "2D");
  if (is_3d) write_3d_keys(out, config);
  // Of clips, but nothing else of a 2-D network without motion modules says it. Stock classes pass it over.
  if (!is_3d && !config.use_inflated_groupnorm) out["use_inflated_groupnorm"] = false;
  // Last, so that what was written here and read again is written in the same order.
  return internal::with_foreign(std::move(out), config.foreign_json).dump(2) + "\n";
}

}  // namespace zt::models
