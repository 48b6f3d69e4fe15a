// SPDX-License-Identifier: Apache-2.0
#include "config/job/model_job.hpp"

#include "config/internal/limits.hpp"
#include "config/listing.hpp"

namespace zt::config {
void describe(Listing& l, UNetShape& s) {
  l.field("block_out_channels", s.block_out_channels,
          {.help = "channels of each level, outermost first", .min = 1, .max = kMaxChannels});
  l.field("layers_per_block", s.layers_per_block, {.help = "ResNet blocks per level", .min = 1, .max = 16});
  l.field("num_heads", s.num_heads,
          {.help = "attention heads; what SD 1.5's config.json calls attention_head_dim",
           .min = 1,
           .max = kMaxChannels});
  l.field("norm_num_groups", s.norm_num_groups,
          {.help = "groups of GroupNorm", .min = 1, .max = kMaxChannels});
  l.field("cross_attention_dim", s.cross_attention_dim,
          {.help = "width of the image embedding", .min = 1, .max = kMaxChannels});
  l.field(
      "attention_levels", s.attention_levels,
      {.help = "levels with spatial attention, from 0; [] = all but the last", .min = 0, .max = kMaxLevels});
  l.field(
      "use_inflated_groupnorm", s.use_inflated_groupnorm,
      {.help = "statistics of ResNet norms per frame; false: over all frames, as with inference_v1.yaml"});
}

void describe(Listing& l, MotionShape& s) {
  l.field("num_heads", s.num_heads, {.help = "heads of temporal attention", .min = 1, .max = kMaxChannels});
  l.field("norm_num_groups", s.norm_num_groups,
          {.help = "groups of GroupNorm, apart from the UNet's", .min = 1, .max = kMaxChannels});
  l.field("max_len", s.max_len,
          {.help = "longest window the position encoding knows", .unit = "frames", .min = 1, .max = 4096});
  l.field("mid_block", s.mid_block, {.help = "a motion module in the mid block too"});
  l.field("levels", s.levels,
          {.help = "levels with motion modules, from 0; [] = all", .min = 0, .max = kMaxLevels});
}

void describe(Listing& l, PoseGuiderShape& s) {
  l.field("block_out_channels", s.block_out_channels,
          {.help = "channels of each stage", .min = 1, .max = kMaxChannels});
}

void describe(Listing& l, ImageEncoderShape& s) {
  l.field("image_size", s.image_size,
          {.help = "side of its square input", .unit = "pixels", .min = 1, .max = 4096});
  l.field("patch_size", s.patch_size, {.help = "side of a patch", .unit = "pixels", .min = 1, .max = 4096});
  l.field("hidden_size", s.hidden_size, {.help = "width of the tower", .min = 1, .max = kMaxChannels});
  l.field("intermediate_size", s.intermediate_size,
          {.help = "width of its MLPs", .min = 1, .max = 4 * kMaxChannels});
  l.field("num_layers", s.num_layers, {.help = "transformer layers", .min = 1, .max = kMaxLayers});
  l.field("num_heads", s.num_heads, {.help = "attention heads", .min = 1, .max = kMaxChannels});
}

void describe(Listing& l, CodecShape& s) {
  l.field("kind", s.kind, {.help = "vae: AutoencoderKL; linear: principal components of patches"});
  l.field("latent_channels", s.latent_channels,
          {.help = "channels of a latent", .min = 1, .max = kMaxChannels});
  l.field("block_out_channels", s.block_out_channels,
          {.help = "vae: channels of each level", .min = 1, .max = kMaxChannels});
  l.field("layers_per_block", s.layers_per_block,
          {.help = "vae: ResNet blocks per level", .min = 1, .max = 16});
  l.field("norm_num_groups", s.norm_num_groups,
          {.help = "vae: groups of GroupNorm", .min = 1, .max = kMaxChannels});
  l.field("scaling_factor", s.scaling_factor, {.help = "vae: latents are multiplied by it", .min = 1e-6});
  l.field("patch", s.patch,
          {.help = "linear: side of a patch, one latent cell", .unit = "pixels", .min = 1, .max = 64});
  l.field("whitening", s.whitening,
          {.help = "linear: latents are divided by sd^whitening", .min = 0, .max = 1});
  l.field("fit_pictures", s.fit_pictures,
          {.help = "linear: pictures the components are computed from", .min = 1, .max = kMaxClips});
}

void describe(Listing& l, ModelJob& m) {
  l.field("base_model_path", m.base_model_path,
          {.help = "diffusers model, or its unet folder, both networks start from", .names = Names::Input});
  l.field("vae_model_path", m.vae_model_path, {.help = "picture codec", .names = Names::Input});
  l.field("image_encoder_path", m.image_encoder_path,
          {.help = "CLIP vision tower with projection", .names = Names::Input});
  l.field("controlnet_openpose_path", m.controlnet_openpose_path,
          {.help = "ControlNet the pose guider starts from", .names = Names::Input});
  l.field("reference_unet_path", m.reference_unet_path,
          {.help = "ReferenceNet, over the base model", .names = Names::Input});
  l.field("denoising_unet_path", m.denoising_unet_path,
          {.help = "denoising network, over the base model", .names = Names::Input});
  l.field("pose_guider_path", m.pose_guider_path, {.help = "pose guider", .names = Names::Input});
  l.field("mm_path", m.mm_path, {.help = "motion modules: AnimateDiff's or ours", .names = Names::Input});
  l.field("mm_zero_proj_out", m.mm_zero_proj_out,
          {.help = "leave out proj_out of mm_path, so that stage 2 starts exactly at stage 1's output"});
  l.field("stage1_run", m.stage1_run,
          {.help = "stage-1 run folder to start from: its best verified checkpoint", .names = Names::Input});
  l.field("stage1_ckpt_dir", m.stage1_ckpt_dir,
          {.help = "folder with {denoising_unet,reference_unet,pose_guider}-STEP.pth to start from",
           .names = Names::Input});
  l.field("stage1_ckpt_step", m.stage1_ckpt_step,
          {.help = "STEP of stage1_ckpt_dir", .unit = "steps", .min = 0, .max = kMaxSteps});
  l.field("allow_random_start", m.allow_random_start,
          {.help = "encoders, and in stage 2 all networks, may be without trained weights: for tests of "
                   "speed or memory"});
  l.field(
      "pose_init", m.pose_init,
      {.help =
           "start of the pose guider where no file gives it: no output yet, as the reference, for weights "
           "that come from a base model; or thin lines kept as strong as they are drawn, from nothing"});
  l.field("denoiser_init", m.denoiser_init,
          {.help = "start of the denoising network where no file gives it"});
  l.field(
      "motion_init", m.motion_init,
      {.help = "start of motion modules that no file gives: as the reference; or each head looking at one "
               "neighbouring frame, for runs from nothing"});
  l.section("unet", m.unet, "Sizes of ReferenceNet and the denoising network when no config.json gives them");
  l.section("motion", m.motion, "Motion modules of the denoising network (stage 2)");
  l.section("pose_guider", m.pose_guider, "Sizes of the pose guider");
  l.section("image_encoder", m.image_encoder, "Sizes of the image encoder when no config.json gives them");
  l.section("codec", m.codec, "How pictures become latents");
}

}  // namespace zt::config
