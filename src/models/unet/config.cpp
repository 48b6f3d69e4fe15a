// SPDX-License-Identifier: Apache-2.0
// See config.hpp. Class defaults: diffusers 0.24 UNet2DConditionModel, Moore-AnimateAnyone
// UNet3DConditionModel and VanillaTemporalModule.
#include "models/unet/config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/internal/config_reader.hpp"
#include "models/internal/largest_sizes.hpp"

namespace zt::models {

using internal::ConfigReader;

namespace {

constexpr int64_t kClassCrossAttentionDim = 1280;

void read_block_types(ConfigReader& reader, std::string_view key, std::string_view stem,
                      std::vector<bool>& has_attention, bool& is_3d) {
  std::vector<std::string> types;
  reader.read(key, types);
  if (types.empty()) return;
  has_attention.clear();
  for (const std::string& type : types) {
    const std::string with = fmt::format("CrossAttn{}Block", stem), without = fmt::format("{}Block", stem);
    if (type != with + "2D" && type != with + "3D" && type != without + "2D" && type != without + "3D") {
      return reader.refuse(key, fmt::format("a list of {0}2D, {1}2D, {0}3D, {1}3D", with, without));
    }
    is_3d = is_3d || type.ends_with("3D");
    has_attention.push_back(type.starts_with("CrossAttn"));
  }
}

/// Keys that change the maths in ways we do not compute.
void refuse_what_we_cannot_compute(ConfigReader& reader) {
  reader.require_one_of("act_fn", {"\"silu\"", "\"swish\""});
  reader.require_one_of("mid_block_type", {"\"UNetMidBlock2DCrossAttn\"", "\"UNetMidBlock3DCrossAttn\""});
  reader.require_one_of("motion_module_type", {"\"Vanilla\"", "null"});
  reader.require_one_of("resnet_time_scale_shift", {"\"default\""});
  reader.require_one_of("time_embedding_type", {"\"positional\""});
  reader.require_one_of("attention_type", {"\"default\""});
  for (const char* key : {"center_input_sample", "dual_cross_attention", "only_cross_attention",
                          "resnet_skip_time_act", "class_embeddings_concat", "unet_use_cross_frame_attention",
                          "unet_use_temporal_attention", "mid_block_only_cross_attention"}) {
    reader.require_one_of(key, {"false", "null"});
  }
  for (const char* key :
       {"class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim",
        "encoder_hid_dim_type", "time_embedding_dim", "time_embedding_act_fn", "timestep_post_act",
        "time_cond_proj_dim", "cross_attention_norm", "reverse_transformer_layers_per_block"}) {
    reader.require_one_of(key, {"null"});
  }
  for (const char* key :
       {"mid_block_scale_factor", "resnet_out_scale_factor", "transformer_layers_per_block"}) {
    reader.require_one_of(key, {"1", "1.0"});
  }
  for (const char* key : {"conv_in_kernel", "conv_out_kernel"}) reader.require_one_of(key, {"3"});
  reader.require_one_of("dropout", {"0", "0.0"});
}

void read_motion_kwargs(ConfigReader& outer, MotionConfig& motion) {
  if (!outer.has("motion_module_kwargs")) return;
  ConfigReader kwargs = outer.object("motion_module_kwargs");
  motion.num_blocks = 2;
  motion.position_encoding = false;
  std::vector<std::string> types(static_cast<size_t>(motion.num_attentions), "Temporal_Self");
  kwargs.read("num_attention_heads", motion.num_heads);
  kwargs.read("num_transformer_block", motion.num_blocks);
  kwargs.read("attention_block_types", types);
  kwargs.read("temporal_position_encoding", motion.position_encoding);
  kwargs.read("temporal_position_encoding_max_len", motion.max_positions);
  kwargs.read("temporal_attention_dim_div", motion.attention_dim_div);
  kwargs.read("zero_initialize", motion.zero_initialize);
  kwargs.require_one_of("cross_frame_attention_mode", {"null"});
  if (std::any_of(types.begin(), types.end(),
                  [](const std::string& type) { return type != "Temporal_Self"; })) {
    kwargs.refuse("attention_block_types", "a list of Temporal_Self");
  }
  motion.num_attentions = static_cast<int64_t>(types.size());
  outer.absorb(kwargs);
}

void read_3d_keys(ConfigReader& reader, UNetConfig& config) {
  reader.read("use_inflated_groupnorm", config.use_inflated_groupnorm);
  MotionConfig& motion = config.motion;
  reader.read("use_motion_module", motion.enabled);
  reader.read("motion_module_mid_block", motion.mid_block);
  reader.read("motion_module_decoder_only", motion.decoder_only);
  reader.read("motion_module_resolutions", motion.resolutions);
  reader.read("motion_norm_num_groups", motion.norm_num_groups);
  read_motion_kwargs(reader, motion);
}

void read_2d_keys(ConfigReader& reader, UNetConfig& config) {
  const auto levels = static_cast<size_t>(config.num_levels());
  reader.read("sample_size", config.sample_size);
  reader.read("in_channels", config.in_channels);
  reader.read("out_channels", config.out_channels);
  reader.read("flip_sin_to_cos", config.flip_sin_to_cos);
  reader.read("freq_shift", config.freq_shift);
  reader.read("downsample_padding", config.downsample_padding);
  reader.read("norm_num_groups", config.norm_num_groups);
  reader.read("norm_eps", config.norm_eps);
  reader.read("cross_attention_dim", config.cross_attention_dim);
  reader.read("use_linear_projection", config.use_linear_projection);
  reader.read("layers_per_block", config.layers_per_block, levels);
  reader.read("attention_head_dim", config.num_heads, levels);
  reader.read("num_attention_heads", config.num_heads, levels);
}

Status check_motion(const UNetConfig& config) {
  const MotionConfig& motion = config.motion;
  if (!motion.enabled) return {};
  if (motion.num_heads <= 0 || motion.num_blocks <= 0 || motion.num_attentions <= 0 ||
      motion.max_positions <= 0 || motion.attention_dim_div <= 0 || motion.norm_num_groups <= 0) {
    return fail(ErrorCode::InvalidConfig, "motion_module_kwargs: counts must be 1 or more");
  }
  for (const int64_t width : config.block_out_channels) {
    if (width % motion.norm_num_groups != 0) {
      return fail(ErrorCode::InvalidConfig, fmt::format("motion_norm_num_groups: {} groups do not divide the "
                                                        "width {}; the reference hard-codes 32, set "
                                                        "another divisor of every width",
                                                        motion.norm_num_groups, width));
    }
    if (width % (motion.num_heads * motion.attention_dim_div) != 0) {
      return fail(ErrorCode::InvalidConfig,
                  fmt::format("motion_module_kwargs.num_attention_heads: {} heads do not divide the width {}",
                              motion.num_heads, width));
    }
  }
  return {};
}

}  // namespace

bool UNetConfig::has_motion_at(int64_t level, bool is_up) const {
  if (!motion.enabled || (motion.decoder_only && !is_up)) return false;
  const int64_t factor = int64_t{1} << (is_up ? num_levels() - 1 - level : level);
  return std::find(motion.resolutions.begin(), motion.resolutions.end(), factor) != motion.resolutions.end();
}

UNetConfig UNetConfig::without_motion() const {
  UNetConfig out = *this;
  out.motion.enabled = false;
  return out;
}

Result<UNetConfig> parse_unet_config(std::string_view json) {
  ZT_TRY_ASSIGN(ConfigReader reader, ConfigReader::parse(json, "UNet config.json"));
  UNetConfig config;
  config.cross_attention_dim = kClassCrossAttentionDim;
  bool is_3d = false;
  reader.read("block_out_channels", config.block_out_channels);
  read_block_types(reader, "down_block_types", "Down", config.down_has_attention, is_3d);
  read_block_types(reader, "up_block_types", "Up", config.up_has_attention, is_3d);
  config.layers_per_block.assign(config.block_out_channels.size(), 2);
  config.num_heads.assign(config.block_out_channels.size(), 8);
  read_2d_keys(reader, config);
  // The 3-D class's own defaults; a 2-D file gets ours (per-frame norms).
  config.use_inflated_groupnorm = !is_3d;
  read_3d_keys(reader, config);
  refuse_what_we_cannot_compute(reader);
  ZT_TRY(reader.status());
  config.foreign_json = reader.foreign();
  ZT_TRY(validate(config));
  return config;
}

Status validate(const UNetConfig& config) {
  const auto levels = static_cast<size_t>(config.num_levels());
  if (levels == 0 || config.down_has_attention.size() != levels || config.up_has_attention.size() != levels ||
      config.layers_per_block.size() != levels || config.num_heads.size() != levels) {
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format(
            "UNet config: block_out_channels has {} levels, so down_block_types ({}), up_block_types ({}), "
            "layers_per_block ({}) and attention_head_dim ({}) must have as many",
            levels, config.down_has_attention.size(), config.up_has_attention.size(),
            config.layers_per_block.size(), config.num_heads.size()));
  }
  if (config.in_channels <= 0 || config.out_channels <= 0 || config.cross_attention_dim <= 0 ||
      config.norm_num_groups <= 0) {
    return fail(
        ErrorCode::InvalidConfig,
        "UNet config: in_channels, out_channels, cross_attention_dim and norm_num_groups must be 1 or more");
  }
  if (std::max({config.in_channels, config.out_channels, config.cross_attention_dim,
                std::ranges::max(config.block_out_channels)}) > internal::kLargestSize ||
      std::ranges::max(config.layers_per_block) > internal::kMostLayers)
    return fail(ErrorCode::InvalidConfig,
                fmt::format("UNet config: at most {} channels and {} layers per block",
                            internal::kLargestSize, internal::kMostLayers));
  for (size_t level = 0; level < levels; ++level) {
    const int64_t width = config.block_out_channels[level], heads = config.num_heads[level];
    if (width <= 0 || width % config.norm_num_groups != 0 || heads <= 0 || width % heads != 0 ||
        config.layers_per_block[level] <= 0) {
      return fail(
          ErrorCode::InvalidConfig,
          fmt::format(
              "UNet config: level {}: width {} must be a multiple of norm_num_groups {} and of its {} heads, "
              "with 1 or more layers",
              level, width, config.norm_num_groups, heads));
    }
  }
  return check_motion(config);
}

}  // namespace zt::models
