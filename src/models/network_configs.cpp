// SPDX-License-Identifier: Apache-2.0
// Sizes of a run's networks: see network_set.hpp.
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "models/internal/config_reader.hpp"
#include "models/internal/frozen_network.hpp"
#include "models/internal/network_sources.hpp"
#include "models/network_set.hpp"

namespace zt::models {

namespace fs = std::filesystem;

namespace {

/// config.json of a folder; nothing if `path` is empty or a weights file, which says nothing about sizes.
Result<std::optional<std::string>> config_beside(const fs::path& path, std::string_view key) {
  std::error_code ignored;
  if (path.empty() || !fs::is_directory(path, ignored)) return std::nullopt;
  auto text = internal::read_model_config(path);
  if (!text) return fail(std::move(text).error().with(fmt::format("while reading {}", key)));
  return std::optional(*std::move(text));
}

/// What a parser made of a folder's config.json; an error names the file.
template <typename T>
Result<T> of_folder(Result<T> parsed, const fs::path& folder) {
  if (!parsed)
    return fail(std::move(parsed).error().with("while reading " + (folder / "config.json").string()));
  return parsed;
}

std::vector<bool> attention_flags(const config::UNetShape& shape) {
  const size_t levels = shape.block_out_channels.size();
  std::vector<bool> out(levels, shape.attention_levels.empty());
  if (shape.attention_levels.empty()) {
    if (!out.empty()) out.back() = false;
    return out;
  }
  for (const int64_t level : shape.attention_levels) {
    if (level >= 0 && static_cast<size_t>(level) < levels) out[static_cast<size_t>(level)] = true;
  }
  return out;
}

UNetConfig inline_unet(const config::UNetShape& shape, int64_t latent_channels) {
  const size_t levels = shape.block_out_channels.size();
  UNetConfig out;
  out.in_channels = out.out_channels = latent_channels;
  out.block_out_channels = shape.block_out_channels;
  out.down_has_attention = attention_flags(shape);
  out.up_has_attention.assign(out.down_has_attention.rbegin(), out.down_has_attention.rend());
  out.layers_per_block.assign(levels, shape.layers_per_block);
  out.num_heads.assign(levels, shape.num_heads);
  out.norm_num_groups = shape.norm_num_groups;
  out.cross_attention_dim = shape.cross_attention_dim;
  return out;
}

MotionConfig inline_motion(const config::MotionShape& shape, int64_t levels) {
  MotionConfig out;
  out.num_heads = shape.num_heads;
  out.norm_num_groups = shape.norm_num_groups;
  out.max_positions = shape.max_len;
  out.mid_block = shape.mid_block;
  out.resolutions.clear();
  for (int64_t level = 0; shape.levels.empty() && level < levels; ++level)
    out.resolutions.push_back(int64_t{1} << level);
  for (const int64_t level : shape.levels) {
    if (level >= 0 && level < levels) out.resolutions.push_back(int64_t{1} << level);
  }
  return out;
}

/// What diffusers' MotionAdapter says about its modules.
Status read_motion_adapter(const std::string& json, MotionConfig& motion) {
  ZT_TRY_ASSIGN(auto reader, internal::ConfigReader::parse(json, "MotionAdapter config.json"));
  reader.read("motion_num_attention_heads", motion.num_heads);
  reader.read("motion_norm_num_groups", motion.norm_num_groups);
  reader.read("motion_max_seq_length", motion.max_positions);
  reader.read("use_motion_mid_block", motion.mid_block);
  reader.require_one_of("conv_in_channels", {"null"});  // PIA's extra input
  return reader.status();
}

Result<UNetConfig> reference_config(const config::ModelJob& job, int64_t latent_channels) {
  fs::path folder = job.reference_unet_path;
  ZT_TRY_ASSIGN(auto json, config_beside(folder, "model.reference_unet_path"));
  if (!json) {
    folder = internal::unet_folder(job.base_model_path);
    ZT_TRY_ASSIGN(json, config_beside(folder, "model.base_model_path"));
  }
  if (!json) {
    const UNetConfig config = inline_unet(job.unet, latent_channels);
    ZT_TRY(validate(config));
    return config;
  }
  ZT_TRY_ASSIGN(const UNetConfig config, of_folder(parse_unet_config(*json), folder));
  return config.without_motion();
}

Result<UNetConfig> denoising_config(const config::ModelJob& job, const UNetConfig& reference, bool motion) {
  UNetConfig out = reference;
  ZT_TRY_ASSIGN(const auto json, config_beside(job.denoising_unet_path, "model.denoising_unet_path"));
  bool says_norms = false;
  if (json) {
    ZT_TRY_ASSIGN(out, of_folder(parse_unet_config(*json), job.denoising_unet_path));
    ZT_TRY_ASSIGN(const auto reader, internal::ConfigReader::parse(*json, "UNet config.json"));
    says_norms = reader.has("use_inflated_groupnorm");
  }
  // A 2-D or stage-1 file says nothing about clips, but for the norms that an export wrote.
  if (!out.motion.enabled) {
    out.motion = inline_motion(job.motion, out.num_levels());
    if (!says_norms) out.use_inflated_groupnorm = job.unet.use_inflated_groupnorm;
  }
  out.motion.enabled = motion;
  ZT_TRY_ASSIGN(const auto adapter, config_beside(job.mm_path, "model.mm_path"));
  if (adapter) ZT_TRY(read_motion_adapter(*adapter, out.motion));
  ZT_TRY(validate(out));
  return out;
}

Result<PoseGuiderConfig> pose_config(const config::ModelJob& job, const UNetConfig& unet) {
  PoseGuiderConfig out;
  out.embedding_channels = unet.block_out_channels.front();
  out.block_out_channels = job.pose_guider.block_out_channels;
  ZT_TRY_ASSIGN(const auto json, config_beside(job.pose_guider_path, "model.pose_guider_path"));
  if (json) {
    ZT_TRY_ASSIGN(out, of_folder(parse_pose_guider_config(*json), job.pose_guider_path));
  }
  out.zero_output = job.pose_init == config::PoseInit::ZeroOutput;
  if (out.block_out_channels.empty() || out.embedding_channels != unet.block_out_channels.front()) {
    return fail(ErrorCode::InvalidConfig,
                fmt::format("model.pose_guider: it must end in the UNet's first width {}, found {}",
                            unet.block_out_channels.front(), out.embedding_channels));
  }
  return out;
}

/// The rules that hold between networks.
Status check_together(const NetworkConfigs& configs, int64_t latent_channels) {
  const UNetConfig& reference = configs.reference_unet;
  const UNetConfig& denoising = configs.denoising_unet;
  for (const UNetConfig* config : {&reference, &denoising}) {
    if (config->in_channels != latent_channels || config->out_channels != latent_channels) {
      return fail(
          ErrorCode::InvalidConfig,
          fmt::format("the UNet files take latents of {} channels and give {}, but the codec makes {}: "
                      "model.base_model_path and model.vae_model_path do not belong together",
                      config->in_channels, config->out_channels, latent_channels));
    }
  }
  if (reference.block_out_channels != denoising.block_out_channels ||
      reference.layers_per_block != denoising.layers_per_block ||
      reference.down_has_attention != denoising.down_has_attention ||
      reference.up_has_attention != denoising.up_has_attention ||
      reference.cross_attention_dim != denoising.cross_attention_dim) {
    return fail(ErrorCode::InvalidConfig,
                "the config.json files of reference_unet and denoising_unet differ in widths, layers, "
                "attention levels or context width; a reference bank only fits a network of the same tree");
  }
  return {};
}

}  // namespace

namespace internal {

fs::path unet_folder(const fs::path& base_model) {
  const fs::path inner = base_model / "unet";
  std::error_code ignored;
  return !base_model.empty() && fs::is_directory(inner, ignored) ? inner : base_model;
}

Result<int64_t> context_width(const config::ModelJob& job) {
  ZT_TRY_ASSIGN(const UNetConfig config, reference_config(job, job.codec.latent_channels));
  return config.cross_attention_dim;
}

}  // namespace internal

Result<NetworkConfigs> network_configs(const config::ModelJob& job, int64_t latent_channels, bool motion) {
  NetworkConfigs out;
  ZT_TRY_ASSIGN(out.reference_unet, reference_config(job, latent_channels));
  ZT_TRY_ASSIGN(out.denoising_unet, denoising_config(job, out.reference_unet, motion));
  ZT_TRY_ASSIGN(out.pose_guider, pose_config(job, out.denoising_unet));
  ZT_TRY(check_together(out, latent_channels));
  return out;
}

}  // namespace zt::models
