// SPDX-License-Identifier: Apache-2.0
// See export_folder.hpp.
#include "models/export_folder.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/files/files.hpp"
#include "tensor/from_entry.hpp"
#include "weights/model_folder.hpp"
#include "weights/names.hpp"

namespace zt::models {

namespace fs = std::filesystem;

namespace {

Status write_folder(const fs::path& folder, const std::string& config_json,
                    const std::vector<NamedTensor>& tensors) {
  std::vector<weights::TensorEntry> entries;
  for (const auto& [name, value] : tensors) entries.push_back(tensor::to_entry(name, value));
  return weights::write_model_folder(folder, config_json, entries);
}

/// ReferenceNet has no output head, but diffusers refuses a UNet without one: it gets a neutral head that
/// gives zeros.
std::vector<NamedTensor> with_neutral_head(std::vector<NamedTensor> tensors, const UNetConfig& config) {
  const int64_t width = config.block_out_channels.front();
  tensors.push_back({"conv_norm_out.weight", at::ones({width})});
  tensors.push_back({"conv_norm_out.bias", at::zeros({width})});
  tensors.push_back({"conv_out.weight", at::zeros({config.out_channels, width, 3, 3})});
  tensors.push_back({"conv_out.bias", at::zeros({config.out_channels})});
  return tensors;
}

/// MotionAdapter has one block of two attentions on every level, each with positions.
bool is_motion_adapter(const UNetConfig& config) {
  const MotionConfig& motion = config.motion;
  for (int64_t level = 0; level < config.num_levels(); ++level) {
    if (!config.has_motion_at(level, /*is_up=*/false) || !config.has_motion_at(level, /*is_up=*/true))
      return false;
  }
  const auto& layers = config.layers_per_block;
  return motion.num_blocks == 1 && motion.num_attentions == 2 && motion.position_encoding &&
         motion.attention_dim_div == 1 &&
         std::adjacent_find(layers.begin(), layers.end(), std::not_equal_to<>()) == layers.end();
}

std::string motion_adapter_json(const UNetConfig& config) {
  const nlohmann::ordered_json out = {{"_class_name", "MotionAdapter"},
                                      {"block_out_channels", config.block_out_channels},
                                      {"conv_in_channels", nullptr},
                                      {"motion_layers_per_block", config.layers_per_block.front()},
                                      {"motion_max_seq_length", config.motion.max_positions},
                                      {"motion_mid_block_layers_per_block", 1},
                                      {"motion_norm_num_groups", config.motion.norm_num_groups},
                                      {"motion_num_attention_heads", config.motion.num_heads},
                                      {"use_motion_mid_block", config.motion.mid_block}};
  return out.dump(2) + "\n";
}

/// diffusers' name. It has one position table per block, where the reference has an equal one per attention.
std::optional<std::string> adapter_name(const std::string& name) {
  constexpr std::string_view kOurs = "attention_blocks.0.pos_encoder.pe",
                             kTransformer = "temporal_transformer.";
  if (!name.ends_with(kOurs)) return weights::motion_adapter_name(name);
  std::string out = name.substr(0, name.size() - kOurs.size()) + "pos_embed.pe";
  out.erase(out.find(kTransformer), kTransformer.size());
  return out;
}

Status write_motion_adapter(const NetworkSet& set, const fs::path& folder) {
  const UNetConfig& config = set.denoising_unet->config();
  if (!is_motion_adapter(config)) {
    return fail(ErrorCode::Unsupported,
                "diffusers' MotionAdapter has motion modules on every level, each of one block with two "
                "attentions and positions; these have another form. Export in Moore's layout.");
  }
  std::vector<NamedTensor> renamed;
  for (NamedTensor& tensor : network_tensors(*set.store, kDenoisingUNet, Contents::MotionOnly)) {
    if (auto name = adapter_name(tensor.name)) renamed.push_back({*std::move(name), std::move(tensor.value)});
  }
  return write_folder(folder, motion_adapter_json(config), renamed);
}

Status write_diffusers(const NetworkSet& set, const fs::path& folder) {
  const UNetConfig &reference = set.reference_net->config(), &denoising = set.denoising_unet->config();
  ZT_TRY(write_folder(folder / kReferenceUNet, to_json(reference, UNetClass::Reference2D),
                      with_neutral_head(network_tensors(*set.store, kReferenceUNet), reference)));
  ZT_TRY(write_folder(folder / kDenoisingUNet, to_json(denoising.without_motion(), UNetClass::Reference2D),
                      network_tensors(*set.store, kDenoisingUNet, Contents::WithoutMotion)));
  ZT_TRY(write_folder(folder / kPoseGuider, to_json(set.pose_guider->config()),
                      network_tensors(*set.store, kPoseGuider)));
  if (!denoising.motion.enabled) return {};
  return write_motion_adapter(set, folder / "motion_adapter");
}

Status write_moore(const NetworkSet& set, const fs::path& folder) {
  ZT_TRY(files::make_folders(folder));
  const auto save = [&](std::string_view network, const char* file, Contents contents) {
    return save_network(*set.store, network, folder / file, SaveFormat::TorchZip, contents);
  };
  ZT_TRY(save(kReferenceUNet, "reference_unet.pth", Contents::Whole));
  ZT_TRY(save(kDenoisingUNet, "denoising_unet.pth", Contents::WithoutMotion));
  ZT_TRY(save(kPoseGuider, "pose_guider.pth", Contents::Whole));
  if (!set.denoising_unet->config().motion.enabled) return {};
  return save(kDenoisingUNet, "motion_module.pth", Contents::MotionOnly);
}

}  // namespace

Status export_networks(const NetworkSet& set, const LatentCodec* codec, const ClipEncoder* image_encoder,
                       const fs::path& folder, config::ExportLayout layout) {
  ZT_TRY(layout == config::ExportLayout::Diffusers ? write_diffusers(set, folder) : write_moore(set, folder));
  if (codec) ZT_TRY(codec->save(folder / "vae"));
  if (image_encoder) ZT_TRY(image_encoder->save(folder / "image_encoder"));
  return {};
}

}  // namespace zt::models
