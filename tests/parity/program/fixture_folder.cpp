// SPDX-License-Identifier: Apache-2.0
// See fixture_folder.hpp.
#include "fixture_folder.hpp"

#include <ATen/ATen.h>

#include <set>

#include "base/files/files.hpp"
#include "models/load_network.hpp"
#include "tensor/from_entry.hpp"
#include "weights/names.hpp"

namespace zt::parity {

namespace fs = std::filesystem;
using models::Contents;

namespace {

std::set<std::string> trainable_names(const nlohmann::json& manifest, int stage) {
  return manifest.at(stage == 1 ? "trainable_stage1" : "trainable_stage2").get<std::set<std::string>>();
}

void load(params::ParamStore& store, std::string_view network, const weights::TensorFile& file,
          models::LoadRules rules) {
  const models::LoadReport report = unwrap(models::load_network(store, network, file, rules));
  if (!report.unexpected.empty()) throw std::runtime_error("unexpected tensor: " + report.unexpected.front());
}

std::unique_ptr<params::ParamStore> frozen_store(const params::ParamTable& table, at::Device device) {
  return std::make_unique<params::ParamStore>(
      table, params::ParamStore::Options{
                 .placement = [](const params::ParamInfo&) { return params::Placement{.trainable = false}; },
                 .device = device});
}

}  // namespace

FixtureFolder::FixtureFolder(fs::path folder, at::Device device)
    : folder_(std::move(folder)), device_(device) {
  manifest_ = json("MANIFEST");
}

bool FixtureFolder::has(const std::string& stem) const {
  return fs::exists(folder_ / (stem + ".safetensors"));
}

bool FixtureFolder::has(const std::string& stem, const std::string& tensor) const {
  return has(stem) && file(stem).find(tensor) != nullptr;
}

const weights::TensorFile& FixtureFolder::file(const std::string& stem) const {
  auto found = files_.find(stem);
  if (found == files_.end()) {
    auto opened = unwrap(weights::TensorFile::open(folder_ / (stem + ".safetensors")));
    found = files_.emplace(stem, std::move(opened)).first;
  }
  return found->second;
}

at::Tensor FixtureFolder::get(const std::string& stem, const std::string& tensor) const {
  const weights::TensorEntry* entry = file(stem).find(tensor);
  if (entry == nullptr) throw std::runtime_error(stem + ".safetensors has no tensor " + tensor);
  return tensor::from_entry(*entry).clone();
}

std::vector<std::string> FixtureFolder::names(const std::string& stem, const std::string& prefix) const {
  std::vector<std::string> out;
  for (const weights::TensorEntry& entry : file(stem).entries()) {
    if (entry.name.starts_with(prefix)) out.push_back(entry.name);
  }
  return out;
}

double FixtureFolder::tolerance(const std::string& stem, const std::string& tensor) const {
  return manifest_.at("tensors").at(stem).at(tensor).at("suggested_atol").get<double>();
}

bool FixtureFolder::has_json(const std::string& stem) const { return fs::exists(folder_ / (stem + ".json")); }

nlohmann::json FixtureFolder::json(const std::string& stem) const {
  return nlohmann::json::parse(unwrap(files::read(folder_ / (stem + ".json"))));
}

std::string FixtureFolder::config(const std::string& stem) const {
  return unwrap(files::read(folder_ / "configs" / (stem + ".json")));
}

weights::TensorFile FixtureFolder::weights(const std::string& stem) const {
  return unwrap(weights::TensorFile::open(folder_ / "weights" / (stem + ".safetensors")));
}

diffusion::NoiseSchedule FixtureFolder::schedule(const std::string& key) const {
  const nlohmann::json& from = manifest_.at(key);
  const bool is_linear = from.at("beta_schedule") == "linear";
  return unwrap(diffusion::NoiseSchedule::make(
      {.num_timesteps = from.value("num_train_timesteps", 1000),
       .beta_start = from.at("beta_start"),
       .beta_end = from.at("beta_end"),
       .beta_schedule = is_linear ? config::BetaSchedule::Linear : config::BetaSchedule::ScaledLinear,
       .zero_terminal_snr = from.at("rescale_betas_zero_snr")}));
}

models::NetworkSet FixtureFolder::networks(int stage) const {
  models::NetworkConfigs configs;
  configs.reference_unet = unwrap(models::parse_unet_config(config("reference_unet")));
  configs.denoising_unet = unwrap(
      models::parse_unet_config(config(stage == 1 ? "denoising_unet_stage1" : "denoising_unet_stage2")));
  configs.pose_guider = unwrap(models::parse_pose_guider_config(config("pose_guider")));
  models::BuildOptions options;
  options.motion = stage == 2;
  options.device = device_;
  options.placement = [names = trainable_names(manifest_, stage)](const params::ParamInfo& info) {
    return params::Placement{.trainable = names.contains(info.name)};
  };
  models::NetworkSet set = models::make_networks(configs, options);
  load(*set.store, models::kReferenceUNet, weights("reference_unet"), {});
  load(*set.store, models::kPoseGuider, weights("pose_guider"), {});
  load(*set.store, models::kDenoisingUNet, weights("denoising_unet"), {.contents = Contents::WithoutMotion});
  if (stage == 2) {
    load(*set.store, models::kDenoisingUNet, weights("motion_module"), {.contents = Contents::MotionOnly});
  }
  return set;
}

std::unique_ptr<models::VaeCodec> FixtureFolder::vae() const {
  const models::VaeConfig vae_config = unwrap(models::parse_vae_config(config("vae")));
  auto store = frozen_store(models::VaeCodec::declare(vae_config), device_);
  load(*store, "vae", weights("vae"), {.rename = weights::vae_name});
  return std::make_unique<models::VaeCodec>(vae_config, std::move(store));
}

models::ClipVisionConfig FixtureFolder::clip_config() const {
  return unwrap(models::parse_clip_vision_config(config("image_encoder")));
}

std::unique_ptr<params::ParamStore> FixtureFolder::clip_store() const {
  auto store = frozen_store(models::ClipEncoder::declare(clip_config()), device_);
  load(*store, "clip", weights("image_encoder"), {.rename = weights::clip_vision_name});
  return store;
}

}  // namespace zt::parity
