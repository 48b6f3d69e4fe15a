// SPDX-License-Identifier: Apache-2.0
// Which networks a run has, how large they are and which files they start from. Shared by train, generate and
// cache. A path wins over an inline size: sizes come from the config.json beside the weights, and the inline
// ones below are for networks that start from nothing (tiny models, tests). Paths are files, or diffusers
// folders; "" = not given.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/enum_names.hpp"

namespace zt::config {

class Listing;

/// How pictures become latents.
enum class CodecKind { Vae, Linear };
template <>
struct EnumNames<CodecKind> {
  static constexpr std::array<std::string_view, 2> values = {"vae", "linear"};
};

/// Start of the pose guider: see models::PoseGuiderConfig::zero_output.
enum class PoseInit { ZeroOutput, KeepSignal };
template <>
struct EnumNames<PoseInit> {
  static constexpr std::array<std::string_view, 2> values = {"zero_output", "keep_signal"};
};

/// Start of motion modules that no file gives: see models::start_with_frame_lags.
enum class MotionInit { Random, FrameLags };
template <>
struct EnumNames<MotionInit> {
  static constexpr std::array<std::string_view, 2> values = {"random", "frame_lags"};
};

/// Start of the denoising network where no file gives it.
enum class DenoiserInit { Random, CopyReference };
template <>
struct EnumNames<DenoiserInit> {
  static constexpr std::array<std::string_view, 2> values = {"random", "copy_reference"};
};

/// Sizes of ReferenceNet and the denoising network. Defaults: Stable Diffusion 1.5.
struct UNetShape {
  std::vector<int64_t> block_out_channels = {320, 640, 1280, 1280};
  int64_t layers_per_block = 2;
  int64_t num_heads = 8;  ///< diffusers' `attention_head_dim: 8`, which means the number of heads
  int64_t norm_num_groups = 32;
  int64_t cross_attention_dim = 768;
  /// Levels with spatial attention; empty = all but the last, as in SD 1.5.
  std::vector<int64_t> attention_levels;
  bool use_inflated_groupnorm = true;  ///< false: ResNet norms take statistics over frames too (inference_v1)
};

/// Motion modules of the denoising network (stage 2).
struct MotionShape {
  int64_t num_heads = 8;
  int64_t norm_num_groups = 32;  ///< apart from the UNet's: the reference fixes it at 32
  int64_t max_len = 32;          ///< positions in the encoding: the longest window in frames
  bool mid_block = true;
  std::vector<int64_t> levels;  ///< levels with motion modules; empty = all
};

struct PoseGuiderShape {
  std::vector<int64_t> block_out_channels = {16, 32, 96, 256};
};

/// CLIP vision tower with projection. Defaults: ViT-L/14.
struct ImageEncoderShape {
  int64_t image_size = 224;
  int64_t patch_size = 14;
  int64_t hidden_size = 1024;
  int64_t intermediate_size = 4096;
  int64_t num_layers = 24;
  int64_t num_heads = 16;
};

/// Picture codec: an AutoencoderKL, or the linear one (principal components of patches).
struct CodecShape {
  CodecKind kind = CodecKind::Vae;
  int64_t latent_channels = 4;
  std::vector<int64_t> block_out_channels = {128, 256, 512, 512};  ///< vae
  int64_t layers_per_block = 2;                                    ///< vae
  int64_t norm_num_groups = 32;                                    ///< vae
  double scaling_factor = 0.18215;                                 ///< vae
  int64_t patch = 4;            ///< linear: pixels per latent cell and side
  double whitening = 0.5;       ///< linear: latents are divided by sd^whitening
  int64_t fit_pictures = 2000;  ///< linear: pictures the components are computed from
};

struct ModelJob {
  std::string base_model_path;  ///< diffusers model (or its unet folder) both networks start from
  std::string vae_model_path;
  std::string image_encoder_path;
  std::string controlnet_openpose_path;  ///< start of the pose guider
  std::string reference_unet_path;       ///< these three overlay the base model
  std::string denoising_unet_path;
  std::string pose_guider_path;
  std::string mm_path;  ///< motion modules: AnimateDiff or ours
  /// Drop the file's proj_out: stage 2 then starts exactly at stage 1's output.
  bool mm_zero_proj_out = true;
  std::string stage1_run;       ///< run folder: its best verified checkpoint
  std::string stage1_ckpt_dir;  ///< folder with {denoising_unet,reference_unet,pose_guider}-STEP.pth
  int64_t stage1_ckpt_step = 0;
  /// Train on random encoders, in stage 2 on random networks: for tests of speed.
  bool allow_random_start = false;
  PoseInit pose_init = PoseInit::ZeroOutput;
  DenoiserInit denoiser_init = DenoiserInit::Random;
  MotionInit motion_init = MotionInit::Random;
  UNetShape unet;
  MotionShape motion;
  PoseGuiderShape pose_guider;
  ImageEncoderShape image_encoder;
  CodecShape codec;
};

void describe(Listing& listing, ModelJob& job);

}  // namespace zt::config
