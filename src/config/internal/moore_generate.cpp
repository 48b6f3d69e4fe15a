// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "config/internal/foreign.hpp"
#include "config/internal/moore.hpp"

namespace zt::config {
namespace {

using enum ForeignKey::Does;

constexpr auto kAnimation = std::to_array<ForeignKey>({
    {"pretrained_base_model_path", MapPath, "model.base_model_path"},
    {"pretrained_vae_path", MapPath, "model.vae_model_path"},
    {"image_encoder_path", MapPath, "model.image_encoder_path"},
    {"denoising_unet_path", MapPath, "model.denoising_unet_path"},
    {"reference_unet_path", MapPath, "model.reference_unet_path"},
    {"pose_guider_path", MapPath, "model.pose_guider_path"},
    {"motion_module_path", MapPath, "model.mm_path"},
    {"inference_config", Special, "", "read too"},
    {"weight_dtype", Map, "dtype"},
    {"test_cases", Special, "", "one job per reference and pose"},
    {"compat", Map, "compat"},
});

constexpr std::string_view kOneVariant = "the released models have no other, and none is built";

constexpr auto kInference = std::to_array<ForeignKey>({
    {"unet_additional_kwargs.use_inflated_groupnorm", Map, "model.unet.use_inflated_groupnorm"},
    {"unet_additional_kwargs.unet_use_cross_frame_attention", Only, "false", kOneVariant},
    {"unet_additional_kwargs.unet_use_temporal_attention", Only, "false", kOneVariant},
    {"unet_additional_kwargs.use_motion_module", Only, "true", "clips need motion modules"},
    {"unet_additional_kwargs.motion_module_resolutions", Special, "", "-> model.motion.levels"},
    {"unet_additional_kwargs.motion_module_mid_block", Map, "model.motion.mid_block"},
    {"unet_additional_kwargs.motion_module_decoder_only", Only, "false", kOneVariant},
    {"unet_additional_kwargs.motion_module_type", Only, "Vanilla", kOneVariant},
    {"unet_additional_kwargs.motion_module_kwargs.num_attention_heads", Map, "model.motion.num_heads"},
    {"unet_additional_kwargs.motion_module_kwargs.num_transformer_block", Only, "1", kOneVariant},
    {"unet_additional_kwargs.motion_module_kwargs.attention_block_types", Only,
     "Temporal_Self, Temporal_Self", kOneVariant},
    {"unet_additional_kwargs.motion_module_kwargs.temporal_position_encoding", Only, "true", kOneVariant},
    {"unet_additional_kwargs.motion_module_kwargs.temporal_position_encoding_max_len", Map,
     "model.motion.max_len"},
    {"unet_additional_kwargs.motion_module_kwargs.temporal_attention_dim_div", Only, "1", kOneVariant},
    {"unet_additional_kwargs.motion_module_kwargs.zero_initialize", Ignore, "",
     "counts only for modules that start from nothing"},
    {"unet_additional_kwargs.task_type", Only, "action", "face reenactment is another model"},
    {"noise_scheduler_kwargs.num_train_timesteps", Map, "schedule.num_train_timesteps"},
    {"noise_scheduler_kwargs.beta_start", Map, "schedule.beta_start"},
    {"noise_scheduler_kwargs.beta_end", Map, "schedule.beta_end"},
    {"noise_scheduler_kwargs.beta_schedule", Map, "beta_schedule"},
    {"noise_scheduler_kwargs.steps_offset", Only, "1", "leading spacing is built with offset 1"},
    {"noise_scheduler_kwargs.clip_sample", Only, "false", "clipping latents to -1..1 is not built"},
    {"noise_scheduler_kwargs.prediction_type", Map, "schedule.prediction_type"},
    {"noise_scheduler_kwargs.rescale_betas_zero_snr", Map, "schedule.enable_zero_snr"},
    {"noise_scheduler_kwargs.timestep_spacing", Map, "timestep_spacing"},
    {"sampler", Only, "DDIM", "DDIM is the sampler there is"},
});

/// What the reference's UNet3DConditionModel and VanillaTemporalModule and diffusers' DDIMScheduler take for
/// keys that the file leaves out, where that is not our default. inference_v1.yaml relies on some.
struct Omitted {
  std::string_view theirs;
  std::string_view ours;
  std::string_view value;
};
constexpr auto kOmitted = std::to_array<Omitted>({
    {"unet_additional_kwargs.use_inflated_groupnorm", "model.unet.use_inflated_groupnorm", "false"},
    {"unet_additional_kwargs.motion_module_resolutions", "model.motion.levels", "[0, 1, 2, 3]"},
    {"unet_additional_kwargs.motion_module_mid_block", "model.motion.mid_block", "false"},
    {"unet_additional_kwargs.motion_module_kwargs.temporal_position_encoding_max_len", "model.motion.max_len",
     "24"},
    {"noise_scheduler_kwargs.beta_start", "schedule.beta_start", "0.0001"},
    {"noise_scheduler_kwargs.beta_end", "schedule.beta_end", "0.02"},
    {"noise_scheduler_kwargs.beta_schedule", "beta_schedule", "linear"},
    {"noise_scheduler_kwargs.prediction_type", "schedule.prediction_type", "epsilon"},
    {"noise_scheduler_kwargs.rescale_betas_zero_snr", "schedule.enable_zero_snr", "false"},
    {"noise_scheduler_kwargs.timestep_spacing", "timestep_spacing", "leading"},
});

/// Likewise, where what they take is not built: the file must say what is.
struct Needed {
  std::string_view theirs;
  std::string_view taken;  ///< by the reference, for a key that is left out
};
constexpr auto kNeeded = std::to_array<Needed>({
    {"unet_additional_kwargs.use_motion_module", "False"},
    {"unet_additional_kwargs.motion_module_type", "None"},
    {"unet_additional_kwargs.motion_module_kwargs.num_transformer_block", "2"},
    {"unet_additional_kwargs.motion_module_kwargs.temporal_position_encoding", "False"},
    {"noise_scheduler_kwargs.clip_sample", "True"},
    {"noise_scheduler_kwargs.steps_offset", "0"},
});

/// Trailing spacing has no offset.
bool has_no_offset(const YamlNode& root) {
  const YamlNode* spacing = find_dotted(root, "noise_scheduler_kwargs.timestep_spacing");
  return spacing && lower(node_text(*spacing)) == "trailing";
}

Status require_needed(const Source& source, const YamlNode& root) {
  for (const auto& [theirs, taken] : kNeeded) {
    if (find_dotted(root, theirs)) continue;
    if (theirs == "noise_scheduler_kwargs.steps_offset" && has_no_offset(root)) continue;
    const auto row = std::ranges::find(kInference, theirs, &ForeignKey::theirs);
    return fail(source.error(
        root.at, fmt::format("{} is left out, which means {} there; only {} is supported: {}. Write {}: {}",
                             theirs, taken, text::quoted(row->text), row->reason,
                             theirs.substr(theirs.rfind('.') + 1), row->text)));
  }
  return {};
}

/// Level i stands at resolution 2^i in motion_module_resolutions. Levels that a network does not have do not
/// count.
Status add_motion_levels(const YamlNode& root, Batch& batch) {
  const YamlNode* node = find_dotted(root, "unet_additional_kwargs.motion_module_resolutions");
  if (!node) return {};
  std::string levels;
  for (const YamlNode& item : node->children) {
    const unsigned resolution = text::to_number<unsigned>(item.text).value_or(0);
    if (!std::has_single_bit(resolution))
      return fail(batch.source.error(item.at, "motion_module_resolutions: wanted powers of two"));
    levels += fmt::format("{}{}", levels.empty() ? "" : ", ", std::countr_zero(resolution));
  }
  if (levels.empty())
    return fail(batch.source.error(node->at, "motion_module_resolutions: wanted a list of powers of two"));
  batch.settings.push_back(derived(batch.source, *node, "model.motion.levels", "[" + levels + "]"));
  return {};
}

Result<ForeignFile> read_inference(const Source& source) {
  ZT_TRY_ASSIGN(const YamlNode root, parse_yaml(source));
  ZT_TRY_ASSIGN(ForeignFile file, read_foreign(source, root, kInference));
  ZT_TRY(require_needed(source, root));
  ZT_TRY(add_motion_levels(root, file.batch));
  std::vector<Setting> omitted;
  for (const auto& [theirs, ours, value] : kOmitted) {
    if (find_dotted(root, theirs)) continue;
    Setting setting = derived(source, root, std::string(ours), std::string(value));
    setting.origin = fmt::format("left out of {}", source.name);
    omitted.push_back(std::move(setting));
  }
  file.batch.settings.insert(file.batch.settings.begin(), omitted.begin(), omitted.end());
  return file;
}

/// One batch per reference and pose of test_cases.
Result<std::vector<Batch>> read_cases(const Source& source, const YamlNode& cases) {
  std::vector<Batch> batches;
  if (cases.kind != YamlNode::Kind::Map)
    return fail(
        source.error(cases.at, "test_cases: wanted reference pictures, each with a list of pose videos"));
  for (const YamlNode& reference : cases.children) {
    if (reference.kind != YamlNode::Kind::List)
      return fail(source.error(reference.at, "test_cases: wanted a list of pose videos"));
    for (const YamlNode& pose : reference.children) {
      if (pose.kind != YamlNode::Kind::Scalar)
        return fail(source.error(pose.at, "test_cases: wanted the path of a pose video"));
      Setting picture = derived(source, reference, "reference_image", "");
      picture.node.text = find_file(source, reference.key);
      Setting video = derived(source, reference, "pose", "");
      video.node = pose;
      video.node.text = find_file(source, pose.text);
      video.origin = origin_of(source, pose.at);
      batches.push_back({source, {std::move(picture), std::move(video)}});
    }
  }
  return batches;
}

}  // namespace

bool is_moore_generate(const YamlNode& root) {
  return root.find("pretrained_base_model_path") || root.find("inference_config") || root.find("test_cases");
}

Result<MooreGenerate> read_moore_generate(const Source& source, const YamlNode& root) {
  ZT_TRY_ASSIGN(ForeignFile file, read_foreign(source, root, kAnimation));
  MooreGenerate out;
  out.effects = std::move(file.effects);
  std::vector<Batch> common;
  if (const YamlNode* config = root.find("inference_config")) {
    Source inference{find_file(source, config->text), ""};
    auto text = files::read(inference.name, kYamlLimitBytes);
    if (!text)
      return fail(
          std::move(text).error().with("while reading " + source.place(config->at) + ", inference_config"));
    inference.text = std::move(*text);
    ZT_TRY_ASSIGN(ForeignFile more, read_inference(inference));
    out.effects.insert(out.effects.end(), more.effects.begin(), more.effects.end());
    common.push_back(std::move(more.batch));
  }
  out.effects.push_back(left_open(source));
  common.push_back(std::move(file.batch));
  const YamlNode* cases = root.find("test_cases");
  if (!cases) {
    out.jobs.push_back(std::move(common));
    return out;
  }
  ZT_TRY_ASSIGN(std::vector<Batch> batches, read_cases(source, *cases));
  for (Batch& batch : batches) {
    out.jobs.push_back(common);
    out.jobs.back().push_back(std::move(batch));
  }
  if (out.jobs.empty()) return fail(source.error(cases->at, "test_cases is empty: nothing to generate"));
  return out;
}

}  // namespace zt::config
