// SPDX-License-Identifier: Apache-2.0
// VaeConfig from and to JSON: see vae_config.hpp. Class defaults: diffusers' AutoencoderKL.
#include "models/vae/vae_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/internal/config_reader.hpp"
#include "models/internal/largest_sizes.hpp"

namespace zt::models {

using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kDownBlock = "DownEncoderBlock2D";
constexpr const char* kUpBlock = "UpDecoderBlock2D";

void read_block_types(internal::ConfigReader& reader, const char* key, const char* type, size_t levels) {
  std::vector<std::string> types(levels, type);
  reader.read(key, types);
  if (types != std::vector<std::string>(levels, type)) {
    reader.refuse(key, fmt::format("{} times {}", levels, type));
  }
}

/// Calls visit(key, field) for the plain ones.
template <class Config, class Visit>
void visit_keys(Config& config, const Visit& visit) {
  visit("in_channels", config.in_channels);
  visit("out_channels", config.out_channels);
  visit("block_out_channels", config.block_out_channels);
  visit("layers_per_block", config.layers_per_block);
  visit("latent_channels", config.latent_channels);
  visit("norm_num_groups", config.norm_num_groups);
  visit("sample_size", config.sample_size);
  visit("scaling_factor", config.scaling_factor);
}

}  // namespace

Result<VaeConfig> parse_vae_config(std::string_view json) {
  ZT_TRY_ASSIGN(auto reader, internal::ConfigReader::parse(json, "VAE config.json"));
  VaeConfig config;
  visit_keys(config, [&](const char* key, auto& field) { reader.read(key, field); });
  read_block_types(reader, "down_block_types", kDownBlock, config.block_out_channels.size());
  read_block_types(reader, "up_block_types", kUpBlock, config.block_out_channels.size());
  reader.require_one_of("act_fn", {"\"silu\"", "\"swish\""});
  for (const char* key : {"mid_block_add_attention", "use_quant_conv", "use_post_quant_conv"}) {
    reader.require_one_of(key, {"true", "null"});
  }
  for (const char* key : {"shift_factor", "latents_mean", "latents_std"})
    reader.require_one_of(key, {"null"});
  ZT_TRY(reader.status());
  config.foreign_json = reader.foreign();
  ZT_TRY(validate(config));
  return config;
}

std::string to_json(const VaeConfig& config) {
  const size_t levels = config.block_out_channels.size();
  Json out = internal::with_foreign({{"_class_name", "AutoencoderKL"}}, config.foreign_json);
  visit_keys(config, [&](const char* key, const auto& field) { out[key] = field; });
  out["down_block_types"] = std::vector<std::string>(levels, kDownBlock);
  out["up_block_types"] = std::vector<std::string>(levels, kUpBlock);
  return out.dump(2) + "\n";
}

Status validate(const VaeConfig& config) {
  const auto refuse = [](std::string what) {
    return fail(ErrorCode::InvalidConfig, "VAE config: " + std::move(what));
  };
  if (config.block_out_channels.empty()) return refuse("block_out_channels needs 1 level or more");
  if (config.in_channels <= 0 || config.out_channels <= 0 || config.latent_channels <= 0 ||
      config.layers_per_block <= 0 || config.norm_num_groups <= 0) {
    return refuse(
        "in_channels, out_channels, latent_channels, layers_per_block and norm_num_groups must be 1 or more");
  }
  if (std::max({config.in_channels, config.out_channels, config.latent_channels,
                std::ranges::max(config.block_out_channels)}) > internal::kLargestSize ||
      config.layers_per_block > internal::kMostLayers)
    return refuse(fmt::format("at most {} channels and {} layers per block", internal::kLargestSize,
                              internal::kMostLayers));
  if (!(config.scaling_factor > 0)) return refuse("scaling_factor must be above 0");
  for (const int64_t width : config.block_out_channels) {
    if (width <= 0 || width % config.norm_num_groups != 0) {
      return refuse(
          fmt::format("width {} must be a multiple of norm_num_groups {}", width, config.norm_num_groups));
    }
  }
  return {};
}

int64_t decoding_channels(const VaeConfig& config) {
  const std::vector<int64_t>& widths = config.block_out_channels;
  const int64_t out = widths.front(), in = widths.size() > 1 ? widths[1] : out;
  return 3 * in + 2 * out;
}

}  // namespace zt::models
