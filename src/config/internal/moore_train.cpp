// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "config/internal/foreign.hpp"
#include "config/internal/moore.hpp"

namespace zt::config {
namespace {

using enum ForeignKey::Does;

constexpr auto kTable = std::to_array<ForeignKey>({
    {"data.train_bs", Map, "data.train_bs"},
    {"data.train_width", Map, "data.width"},
    {"data.train_height", Map, "data.height"},
    {"data.meta_paths", MapPath, "data.meta_paths"},
    {"data.sample_margin", Map, "data.sample_margin"},
    {"data.sample_rate", Map, "data.sample_rate"},
    {"data.n_sample_frames", Map, "data.n_sample_frames"},
    {"solver.gradient_accumulation_steps", Map, "optimizer.gradient_accumulation_steps"},
    {"solver.mixed_precision", Special, "", "-> precision.mixed_precision; no is fp32"},
    {"solver.enable_xformers_memory_efficient_attention", Ignore, "",
     "names only another way to the same numbers"},
    {"solver.gradient_checkpointing", Map, "gradient_checkpointing"},
    {"solver.max_train_steps", Map, "max_train_steps"},
    {"solver.max_grad_norm", Map, "optimizer.max_grad_norm"},
    {"solver.learning_rate", Map, "optimizer.learning_rate"},
    {"solver.scale_lr", Map, "optimizer.scale_lr"},
    {"solver.lr_warmup_steps", Map, "optimizer.lr_warmup_steps"},
    {"solver.lr_scheduler", Map, "optimizer.lr_scheduler"},
    {"solver.use_8bit_adam", Map, "optimizer.use_8bit_adam"},
    {"solver.adam_beta1", Map, "optimizer.adam_beta1"},
    {"solver.adam_beta2", Map, "optimizer.adam_beta2"},
    {"solver.adam_weight_decay", Map, "optimizer.adam_weight_decay"},
    {"solver.adam_epsilon", Map, "optimizer.adam_epsilon"},
    {"val.validation_steps", Map, "validation.every_steps"},
    {"noise_scheduler_kwargs.num_train_timesteps", Map, "schedule.num_train_timesteps"},
    {"noise_scheduler_kwargs.beta_start", Map, "schedule.beta_start"},
    {"noise_scheduler_kwargs.beta_end", Map, "schedule.beta_end"},
    {"noise_scheduler_kwargs.beta_schedule", Map, "validation.beta_schedule",
     "reaches only the sampler of validation, as in the reference, which trains with scaled_linear always"},
    {"noise_scheduler_kwargs.steps_offset", Only, "1", "leading spacing is built with offset 1"},
    {"noise_scheduler_kwargs.clip_sample", Only, "false", "clipping latents to -1..1 is not built"},
    {"base_model_path", MapPath, "model.base_model_path"},
    {"vae_model_path", MapPath, "model.vae_model_path"},
    {"image_encoder_path", MapPath, "model.image_encoder_path"},
    {"controlnet_openpose_path", Special, "",
     "-> model.controlnet_openpose_path unless pose_guider_pretrain is false"},
    {"pose_guider_pretrain", Special, "",
     "false: a pose guider of 16, 32, 64, 128 channels that starts from nothing"},
    {"mm_path", MapPath, "model.mm_path"},
    {"weight_dtype", Map, "precision.frozen_dtype",
     "counts for networks of which nothing trains: none in stage 1. VAE and image encoder stay fp32"},
    {"uncond_ratio", Map, "condition.uncond_ratio"},
    {"noise_offset", Map, "schedule.noise_offset"},
    {"snr_gamma", Map, "schedule.snr_gamma"},
    {"enable_zero_snr", Map, "schedule.enable_zero_snr",
     "false: the reference then predicts epsilon and validates with leading timesteps"},
    {"stage1_ckpt_dir", MapPath, "model.stage1_ckpt_dir"},
    {"stage1_ckpt_step", Map, "model.stage1_ckpt_step"},
    {"seed", Map, "seed"},
    {"resume_from_checkpoint", Only, "", "a run is resumed with `zoetrope train --resume RUN`"},
    {"checkpointing_steps", Map, "checkpoint.every_steps"},
    {"save_model_epoch_interval", Map, "checkpoint.every_epochs",
     "as whole checkpoints, of which the newest checkpoint.keep_epochs stay, 3 as in the reference"},
    {"exp_name", Map, "name"},
    {"output_dir", Map, "output_dir"},
    {"compat", Map, "compat"},
});

void add_precision(const YamlNode& root, Batch& batch) {
  const YamlNode* node = find_dotted(root, "solver.mixed_precision");
  if (!node) return;
  Setting setting{"precision.mixed_precision", *node, origin_of(batch.source, node->key_at)};
  if (is_false(*node)) setting.node.text = "fp32";
  batch.settings.push_back(std::move(setting));
}

Status add_pose_guider(const YamlNode& root, Batch& batch) {
  const YamlNode* pretrain = root.find("pose_guider_pretrain");
  const YamlNode* path = root.find("controlnet_openpose_path");
  if (pretrain && is_false(*pretrain)) {
    batch.settings.push_back(
        derived(batch.source, *pretrain, "model.pose_guider.block_out_channels", "[16, 32, 64, 128]"));
  } else if (path) {
    Setting setting{"model.controlnet_openpose_path", *path, origin_of(batch.source, path->key_at)};
    setting.node.text = find_file(batch.source, path->text);
    batch.settings.push_back(std::move(setting));
  } else if (pretrain) {
    return fail(batch.source.error(pretrain->at,
                                   "pose_guider_pretrain: wanted controlnet_openpose_path as well, the file "
                                   "that it starts from, or False"));
  }
  return {};
}

/// Stage 2 is known by what only its file has.
void add_stage(const YamlNode& root, Batch& batch) {
  for (const std::string_view key : {"stage1_ckpt_dir", "mm_path", "data.n_sample_frames"})
    if (const YamlNode* node = find_dotted(root, key)) {
      batch.settings.push_back(derived(batch.source, *node, "stage", "2"));
      return;
    }
}

}  // namespace

bool is_moore_train(const YamlNode& root) {
  return root.find("solver") || root.find("noise_scheduler_kwargs") || root.find("base_model_path");
}

Effect left_open(const Source& source) {
  return {"(what it leaves open)", "", source.name,
          "Zoetrope's defaults; --set compat=moore takes the reference's"};
}

Result<MooreTrain> read_moore_train(const Source& source, const YamlNode& root) {
  ZT_TRY_ASSIGN(ForeignFile file, read_foreign(source, root, kTable));
  add_precision(root, file.batch);
  ZT_TRY(add_pose_guider(root, file.batch));
  add_stage(root, file.batch);
  if (const YamlNode* zero_snr = root.find("enable_zero_snr"); zero_snr && is_false(*zero_snr)) {
    file.batch.settings.push_back(derived(source, *zero_snr, "schedule.prediction_type", "epsilon"));
    file.batch.settings.push_back(derived(source, *zero_snr, "validation.timestep_spacing", "leading"));
  }
  file.effects.push_back(left_open(source));
  return MooreTrain{std::move(file.batch), std::move(file.effects)};
}

}  // namespace zt::config
