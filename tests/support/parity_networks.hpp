// SPDX-License-Identifier: Apache-2.0
// The networks whose outputs the parity files hold: tests/parity/configs and tests/parity/weights.
#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/files/files.hpp"
#include "models/clip_vision/clip_vision.hpp"
#include "models/load_network.hpp"
#include "models/network_set.hpp"
#include "models/unet/config.hpp"
#include "models/vae/vae_codec.hpp"
#include "weights/names.hpp"
#include "weights/tensor_file.hpp"

namespace zt::test {

struct ParityNetworks {
  models::NetworkSet set;
  std::unique_ptr<models::VaeCodec> codec;
  std::unique_ptr<models::ClipEncoder> image_encoder;
};

namespace parity_internal {

/// The value, or an exception that fails the test.
template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return *std::move(result);
}

inline std::filesystem::path parity_folder() { return std::filesystem::path(ZT_SOURCE_DIR) / "tests/parity"; }

inline std::string config_text(const std::string& name) {
  return value_of(files::read(parity_folder() / "configs" / (name + ".json")));
}

inline void load(params::ParamStore& store, std::string_view network, const std::string& file,
                 const weights::NameRule& rename = {}, models::Contents contents = models::Contents::Whole) {
  const auto tensors =
      value_of(weights::TensorFile::open(parity_folder() / "weights" / (file + ".safetensors")));
  models::LoadRules rules;
  rules.contents = contents;
  rules.rename = rename;
  value_of(models::load_network(store, network, tensors, rules));
}

inline std::unique_ptr<params::ParamStore> frozen_store(const params::ParamTable& table) {
  params::ParamStore::Options options;
  options.placement = [](const params::ParamInfo&) { return params::Placement{.trainable = false}; };
  return std::make_unique<params::ParamStore>(table, options);
}

}  // namespace parity_internal

/// `motion`: the networks of stage 2, else of stage 1. Trainable unless `frozen`.
inline ParityNetworks load_parity_networks(bool motion, bool frozen = true) {
  using namespace parity_internal;
  models::NetworkConfigs configs;
  configs.reference_unet = value_of(models::parse_unet_config(config_text("reference_unet")));
  configs.denoising_unet = value_of(
      models::parse_unet_config(config_text(motion ? "denoising_unet_stage2" : "denoising_unet_stage1")));
  configs.pose_guider = value_of(models::parse_pose_guider_config(config_text("pose_guider")));
  models::BuildOptions options;
  options.motion = motion;
  if (frozen)
    options.placement = [](const params::ParamInfo&) { return params::Placement{.trainable = false}; };

  ParityNetworks networks;
  networks.set = models::make_networks(configs, options, /*initialize=*/false);
  params::ParamStore& store = *networks.set.store;
  load(store, models::kReferenceUNet, "reference_unet");
  load(store, models::kDenoisingUNet, "denoising_unet", {}, models::Contents::WithoutMotion);
  if (motion)
    load(store, models::kDenoisingUNet, "motion_module", weights::motion_name, models::Contents::MotionOnly);
  load(store, models::kPoseGuider, "pose_guider");

  const auto vae = value_of(models::parse_vae_config(config_text("vae")));
  auto vae_store = frozen_store(models::VaeCodec::declare(vae));
  load(*vae_store, "vae", "vae", weights::vae_name);
  networks.codec = std::make_unique<models::VaeCodec>(vae, std::move(vae_store));

  const auto clip = value_of(models::parse_clip_vision_config(config_text("image_encoder")));
  auto clip_store = frozen_store(models::ClipEncoder::declare(clip));
  load(*clip_store, "clip", "image_encoder", weights::clip_vision_name);
  networks.image_encoder = std::make_unique<models::ClipEncoder>(clip, std::move(clip_store));
  return networks;
}

}  // namespace zt::test
