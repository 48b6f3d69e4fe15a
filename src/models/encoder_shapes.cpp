// SPDX-License-Identifier: Apache-2.0
// See encoder_shapes.hpp.
#include "models/encoder_shapes.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "models/internal/config_reader.hpp"
#include "models/internal/frozen_network.hpp"
#include "models/internal/largest_sizes.hpp"
#include "models/internal/network_sources.hpp"
#include "models/refined_codec/refined_codec.hpp"
#include "models/vae/vae_codec.hpp"

namespace zt::models {
namespace {

LatentShape of_linear(int64_t channels, int64_t patch) {
  const int64_t patch_numbers = 3 * patch * patch;
  return {channels, patch, /*is_random=*/false, (2 * channels + 1) * patch_numbers};
}

LatentShape of_vae(const VaeConfig& config) {
  return {config.latent_channels, config.scale_factor(), /*is_random=*/true,
          VaeCodec::declare(config).num_elements(), 3 * config.block_out_channels.front()};
}

}  // namespace

Result<VaeConfig> inline_vae(const config::CodecShape& shape) {
  VaeConfig config;
  config.block_out_channels = shape.block_out_channels;
  config.layers_per_block = shape.layers_per_block;
  config.latent_channels = shape.latent_channels;
  config.norm_num_groups = shape.norm_num_groups;
  config.scaling_factor = shape.scaling_factor;
  ZT_TRY(validate(config));
  return config;
}

Result<LatentShape> latent_shape(const config::ModelJob& job) {
  const config::CodecShape& codec = job.codec;
  if (job.vae_model_path.empty()) {
    if (codec.kind == config::CodecKind::Linear) return of_linear(codec.latent_channels, codec.patch);
    ZT_TRY_ASSIGN(const VaeConfig config, inline_vae(codec));
    return of_vae(config);
  }
  const auto file = std::filesystem::path(job.vae_model_path) / "config.json";
  ZT_TRY_ASSIGN(const std::string text, internal::read_model_config(job.vae_model_path));
  ZT_TRY_ASSIGN(auto reader, internal::ConfigReader::parse(text, file.string()));
  if (reader.has("patch_size")) {
    int64_t channels = 0, patch = 0;
    reader.read("latent_channels", channels);
    reader.read("patch_size", patch);
    if (patch < 1 || patch > internal::kLargestPatch) reader.refuse("patch_size", "1 to 64");
    ZT_TRY(reader.status());
    if (channels < 1 || channels > 3 * patch * patch)
      reader.refuse("latent_channels", "1 to 3 * patch_size^2");
    ZT_TRY(reader.status());
    LatentShape shape = of_linear(channels, patch);
    std::string class_name;
    reader.read("_class_name", class_name);
    if (class_name != RefinedCodec::kClassName) return shape;
    ZT_TRY_ASSIGN(const VaeConfig refiner, RefinedCodec::read_refiner_config(job.vae_model_path));
    shape.num_weights += RefinedCodec::declare(refiner).num_elements();
    return shape;
  }
  auto vae = parse_vae_config(text);
  if (!vae) return fail(std::move(vae).error().with("while reading " + file.string()));
  return of_vae(*vae);
}

Result<ClipVisionConfig> image_encoder_config(const config::ModelJob& job) {
  if (!job.image_encoder_path.empty()) {
    ZT_TRY_ASSIGN(const std::string text, internal::read_model_config(job.image_encoder_path));
    auto config = parse_clip_vision_config(text);
    if (!config) return fail(std::move(config).error().with("while reading model.image_encoder_path"));
    return config;
  }
  ZT_TRY_ASSIGN(const int64_t width, internal::context_width(job));
  const config::ImageEncoderShape& shape = job.image_encoder;
  const ClipVisionConfig config{.hidden_size = shape.hidden_size,
                                .intermediate_size = shape.intermediate_size,
                                .num_layers = shape.num_layers,
                                .num_heads = shape.num_heads,
                                .image_size = shape.image_size,
                                .patch_size = shape.patch_size,
                                .projection_dim = width};
  ZT_TRY(validate(config));
  return config;
}

Status check_picture_size(const config::DataJob& data, int64_t scale_factor) {
  if (data.width % scale_factor == 0 && data.height % scale_factor == 0) return {};
  return fail(ErrorCode::InvalidConfig,
              fmt::format("data.width and data.height ({} x {}) must be multiples of {}: the codec of "
                          "model.vae_model_path makes one latent of so many pixels a side",
                          data.width, data.height, scale_factor));
}

Status check_guider(const PoseGuiderConfig& guider, int64_t scale_factor) {
  if (guider.stride() == scale_factor) return {};
  return fail(
      ErrorCode::InvalidConfig,
      fmt::format("the pose guider makes one feature of {} pixels a side, the codec one latent of {}: "
                  "give model.pose_guider.block_out_channels one stage more or fewer, or another "
                  "model.vae_model_path",
                  guider.stride(), scale_factor));
}

}  // namespace zt::models
