// SPDX-License-Identifier: Apache-2.0
// From a run's `model:` section to networks in memory: the three trained ones in one store, the picture codec
// and the image encoder. Sizes come from the config.json beside the weights where a path is given, else from
// the inline shapes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/job/model_job.hpp"
#include "models/clip_vision/clip_vision.hpp"
#include "models/denoising_unet/denoising_unet.hpp"
#include "models/latent_codec.hpp"
#include "models/load_network.hpp"
#include "models/pose_guider/pose_guider.hpp"
#include "models/reference_net/reference_net.hpp"
#include "models/unet/config.hpp"
#include "params/param_store.hpp"
#include "params/param_table.hpp"

namespace zt::models {

/// Network names: prefixes of the parameters in the store.
inline constexpr std::string_view kReferenceUNet = "reference_unet";
inline constexpr std::string_view kDenoisingUNet = "denoising_unet";
inline constexpr std::string_view kPoseGuider = "pose_guider";

struct NetworkConfigs {
  UNetConfig reference_unet;
  UNetConfig denoising_unet;
  PoseGuiderConfig pose_guider;
};
/// Reads config.json files, no weights. Errors: NotFound, Corrupt, InvalidConfig (a size that cannot be, or a
/// file made for latents of another number of channels).
Result<NetworkConfigs> network_configs(const config::ModelJob& job, int64_t latent_channels, bool motion);

/// Names and sizes of all parameters, nothing allocated: what memory plans walk.
params::ParamTable declare_networks(const NetworkConfigs& configs);

struct NetworkSet {
  std::unique_ptr<params::ParamStore> store;
  std::unique_ptr<ReferenceNet> reference_net;
  std::unique_ptr<DenoisingUNet> denoising_unet;
  std::unique_ptr<PoseGuider> pose_guider;
  std::vector<LoadReport> reports;  ///< one per file read
};

struct BuildOptions {
  bool motion = false;  ///< motion modules in the denoising UNet (stage 2, generation of clips)
  params::PlacementRule placement = {};  ///< default: trainable fp32
  uint64_t seed = 0;                     ///< of start values that no file gives
  at::Device device = at::kCPU;
  params::ResidencyRule residency = {};  ///< default: all is kept whole
  /// Motion modules must come from a file, and mm_zero_proj_out does not apply.
  bool for_generation = false;
};

/// Networks at their start values; no file is read. `initialize` false leaves zeros, for callers that assign
/// everything.
NetworkSet make_networks(const NetworkConfigs& configs, const BuildOptions& options, bool initialize = true);

/// network_configs, make_networks, then each network from the first of: stage1_ckpt_dir, its own path, the
/// base model (pose guider: controlnet_openpose_path). Motion modules come from mm_path, or from
/// denoising_unet_path if that file holds some. A denoising UNet without a file starts as denoiser_init says.
/// `stage1_run` is not read here. Errors: those of network_configs and load_network; InvalidConfig names the
/// key that is missing or wrong.
Result<NetworkSet> build_networks(const config::ModelJob& job, int64_t latent_channels,
                                  const BuildOptions& options);

/// InvalidConfig, naming the key, unless every network but the motion modules, and both encoders, have a
/// path.
Status require_trained_weights(const config::ModelJob& job);

/// A linear codec without a path: it must be fitted to the data first (LinearCodec::fit).
bool needs_codec_fit(const config::ModelJob& job);
/// The codec folder at vae_model_path, or a VAE of the inline shape with random weights. Errors:
/// InvalidConfig if needs_codec_fit(), Exhausted before anything is made if it does not fit the memory,
/// and those of open_latent_codec.
Result<std::unique_ptr<LatentCodec>> build_codec(const config::ModelJob& job, uint64_t seed,
                                                 at::Device device = at::kCPU);
/// The folder at image_encoder_path, or an encoder of the inline shape with random weights that projects to
/// the UNets' context width. Errors: Exhausted as build_codec(), and those of ClipEncoder::open.
Result<std::unique_ptr<ClipEncoder>> build_image_encoder(const config::ModelJob& job, uint64_t seed,
                                                         at::Device device = at::kCPU);

}  // namespace zt::models
