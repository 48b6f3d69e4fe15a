// SPDX-License-Identifier: Apache-2.0
#include "config/internal/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "base/text/text.hpp"

namespace zt::config {
namespace {

constexpr size_t kMaxHalvings = 30;  // no picture has more; keeps 1 << n within bounds

Status check_divides(std::string_view key, int64_t divisor, std::span<const int64_t> channels) {
  for (const int64_t c : channels)
    if (c % divisor != 0)
      return broken(
          fmt::format("{} ({}) must divide every number of block_out_channels, and {} is not a multiple", key,
                      divisor, c));
  return {};
}

Status check_groups(std::string_view key, std::span<const int64_t> channels, int64_t groups) {
  if (channels.empty())
    return broken(fmt::format("{}.block_out_channels is empty: a network has at least one level", key));
  return check_divides(fmt::format("{}.norm_num_groups", key), groups, channels);
}

Status check_levels(std::string_view key, std::span<const int64_t> levels, size_t num_levels) {
  for (const int64_t level : levels)
    if (level >= static_cast<int64_t>(num_levels))
      return broken(
          fmt::format("{} names level {}, but model.unet.block_out_channels has {} levels, counted from 0",
                      key, level, num_levels));
  return {};
}

/// Inline sizes, which count only where no config.json gives them.
Status check_unet(const ModelJob& model) {
  const UNetShape& unet = model.unet;
  ZT_TRY(check_groups("model.unet", unet.block_out_channels, unet.norm_num_groups));
  ZT_TRY(check_levels("model.unet.attention_levels", unet.attention_levels, unet.block_out_channels.size()));
  return check_divides("model.unet.num_heads", unet.num_heads, unet.block_out_channels);
}

Status check_encoder(const ImageEncoderShape& shape) {
  if (shape.image_size % shape.patch_size != 0)
    return broken(fmt::format("model.image_encoder.patch_size ({}) must divide image_size ({})",
                              shape.patch_size, shape.image_size));
  if (shape.hidden_size % shape.num_heads != 0)
    return broken(fmt::format("model.image_encoder.num_heads ({}) must divide hidden_size ({})",
                              shape.num_heads, shape.hidden_size));
  return {};
}

/// How many times smaller than its picture a latent is, and the key that says so.
struct LatentShrink {
  int64_t factor;
  std::string_view key;
};

/// None where the codec's sizes stand in its config.json.
std::optional<LatentShrink> latent_shrink(const ModelJob& model) {
  if (!model.vae_model_path.empty()) return std::nullopt;
  if (model.codec.kind == CodecKind::Linear) return LatentShrink{model.codec.patch, "model.codec.patch"};
  const size_t halvings = std::min<size_t>(model.codec.block_out_channels.size() - 1, kMaxHalvings);
  return LatentShrink{int64_t{1} << halvings, "model.codec.block_out_channels"};
}

/// The pose guider halves its picture between stages, and its features are added to the UNet's first ones.
Status check_guider(const ModelJob& model) {
  const size_t stages = model.pose_guider.block_out_channels.size();
  if (stages < 2) return broken("model.pose_guider.block_out_channels needs two stages at least");
  const int64_t factor = int64_t{1} << std::min(stages - 1, kMaxHalvings);
  const auto shrink = latent_shrink(model);
  if (!shrink || shrink->factor == factor) return {};
  return broken(
      fmt::format("model.pose_guider.block_out_channels has {} stages and makes the pose picture {} times "
                  "smaller, but {} makes latents {} times smaller",
                  stages, factor, shrink->key, shrink->factor));
}

Status check_order(std::string_view key, const std::vector<double>& range) {
  if (range.size() == 2 && range[0] <= range[1]) return {};
  return broken(fmt::format("{} must be [least, greatest]", key));
}

}  // namespace

Status validate_model(const ModelJob& model) {
  if (model.base_model_path.empty()) ZT_TRY(check_unet(model));
  if (model.image_encoder_path.empty()) ZT_TRY(check_encoder(model.image_encoder));
  if (model.vae_model_path.empty() && model.codec.kind == CodecKind::Vae)
    ZT_TRY(check_groups("model.codec", model.codec.block_out_channels, model.codec.norm_num_groups));
  const CodecShape& codec = model.codec;
  if (codec.kind == CodecKind::Linear && codec.latent_channels > 3 * codec.patch * codec.patch)
    return broken(
        fmt::format("model.codec.latent_channels ({}) is more than a patch has numbers (3 x {} x {})",
                    codec.latent_channels, codec.patch, codec.patch));
  return check_guider(model);
}

Status validate_motion(const ModelJob& model) {
  if (!model.base_model_path.empty()) return {};
  const std::vector<int64_t>& channels = model.unet.block_out_channels;
  ZT_TRY(check_levels("model.motion.levels", model.motion.levels, channels.size()));
  ZT_TRY(check_divides("model.motion.num_heads", model.motion.num_heads, channels));
  return check_divides("model.motion.norm_num_groups", model.motion.norm_num_groups, channels);
}

Status validate_data(const DataJob& data, const ModelJob& model) {
  const auto shrink = latent_shrink(model);
  if (shrink && (data.width % shrink->factor != 0 || data.height % shrink->factor != 0))
    return broken(
        fmt::format("data.width and data.height ({} x {}) must be multiples of {}, which {} makes a latent",
                    data.width, data.height, shrink->factor, shrink->key));
  ZT_TRY(check_order("data.crop_scale", data.crop_scale));
  return check_order("data.crop_ratio", data.crop_ratio);
}

Status validate_precision(const PrecisionJob& precision) {
  if (precision.trained_weights != TrainedWeights::Fp32 && precision.mixed_precision != MixedPrecision::Bf16)
    return broken("precision.trained_weights in bf16 needs precision.mixed_precision: bf16");
  return {};
}

Status validate_schedule(const ScheduleJob& schedule) {
  if (!(0 < schedule.beta_start && schedule.beta_start <= schedule.beta_end && schedule.beta_end < 1))
    return broken(fmt::format("wanted 0 < schedule.beta_start <= schedule.beta_end < 1, found {} and {}",
                              schedule.beta_start, schedule.beta_end));
  if (schedule.enable_zero_snr && schedule.prediction_type == PredictionType::Epsilon)
    return broken(
        "schedule.enable_zero_snr makes the last timestep pure noise, from which prediction_type: epsilon "
        "can't find the picture: use v_prediction or sample, or enable_zero_snr: false");
  return {};
}

Status validate_device(const std::string& device) {
  if (device == "cpu" || device == "cuda") return {};
  const std::string_view index = std::string_view(device).substr(std::min<size_t>(device.size(), 5));
  const bool is_index =
      !index.empty() && index.size() <= 3 && index.find_first_not_of("0123456789") == std::string_view::npos;
  if (device.starts_with("cuda:") && is_index) return {};
  return broken(fmt::format("device: wanted cpu, cuda or cuda:N, found {}", text::quoted(device)));
}

}  // namespace zt::config
