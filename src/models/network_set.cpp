// SPDX-License-Identifier: Apache-2.0
// See network_set.hpp.
#include "models/network_set.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "models/denoising_unet/frame_lags.hpp"
#include "models/encoder_shapes.hpp"
#include "models/internal/frozen_network.hpp"
#include "models/internal/network_sources.hpp"
#include "models/vae/vae_codec.hpp"
#include "weights/names.hpp"
#include "weights/tensor_file.hpp"

namespace zt::models {

using internal::NetworkSource;
using internal::NetworkSources;

namespace {

bool holds_motion(const weights::TensorFile& file) {
  return std::ranges::any_of(file.entries(), is_motion, &weights::TensorEntry::name);
}

Result<weights::TensorFile> open(const NetworkSource& source) {
  auto file = weights::TensorFile::open(source.path);
  if (!file) return fail(std::move(file).error().with(fmt::format("while loading {}", source.key)));
  return file;
}

/// Loads one file and keeps its report.
Status load(NetworkSet& set, std::string_view network, const NetworkSource& source,
            const weights::TensorFile& file, const LoadRules& rules) {
  auto report = load_network(*set.store, network, file, rules);
  if (!report) return fail(std::move(report).error().with(fmt::format("while loading {}", source.key)));
  set.reports.push_back(*std::move(report));
  return {};
}

Status load_denoising(NetworkSet& set, const NetworkSources& sources, const config::ModelJob& job,
                      const BuildOptions& options) {
  bool has_motion = false;
  if (const auto& source = sources.denoising_unet) {
    ZT_TRY_ASSIGN(const weights::TensorFile file, open(*source));
    has_motion = options.motion && !sources.motion && holds_motion(file);
    LoadRules rules;
    rules.contents = has_motion ? Contents::Whole : Contents::WithoutMotion;
    ZT_TRY(load(set, kDenoisingUNet, *source, file, rules));
  }
  if (!options.motion || has_motion) return {};
  if (const auto& source = sources.motion) {
    ZT_TRY_ASSIGN(const weights::TensorFile file, open(*source));
    LoadRules rules;
    rules.contents = Contents::MotionOnly;
    rules.rename = weights::motion_name;
    rules.zero_motion_output = job.mm_zero_proj_out && !options.for_generation;
    return load(set, kDenoisingUNet, *source, file, rules);
  }
  if (!options.for_generation) return {};
  return fail(
      ErrorCode::InvalidConfig,
      "motion modules are on, but no file holds their weights. Set model.mm_path to a motion module file "
      "(motion_module.pth, AnimateDiff, MotionAdapter).");
}

Status load_pose_guider(NetworkSet& set, const NetworkSource& source) {
  ZT_TRY_ASSIGN(const weights::TensorFile file, open(source));
  LoadRules rules;
  rules.rename = weights::pose_guider_rule(weights::unwrap(file.entries()));
  // A ControlNet's last convolution is left out: ours keeps its start value.
  if (source.key == "model.controlnet_openpose_path")
    rules.optional_suffixes = {"conv_out.weight", "conv_out.bias"};
  return load(set, kPoseGuider, source, file, rules);
}

Status load_files(NetworkSet& set, const NetworkSources& sources, const config::ModelJob& job,
                  const BuildOptions& options) {
  if (const auto& source = sources.reference_unet) {
    ZT_TRY_ASSIGN(const weights::TensorFile file, open(*source));
    ZT_TRY(load(set, kReferenceUNet, *source, file, {}));
  }
  ZT_TRY(load_denoising(set, sources, job, options));
  if (sources.pose_guider) ZT_TRY(load_pose_guider(set, *sources.pose_guider));
  return {};
}

using Names = std::set<std::string, std::less<>>;

Names loaded_names(const NetworkSet& set) {
  Names loaded;
  for (const LoadReport& report : set.reports) {
    for (const std::string& name : report.loaded) loaded.insert(fmt::format("{}.{}", report.network, name));
  }
  return loaded;
}

/// The denoising UNet starts as ReferenceNet does: from its file, or from its start values. The head, which
/// ReferenceNet lacks, starts at zero output.
Status copy_reference(NetworkSet& set, const std::optional<NetworkSource>& reference, uint64_t seed) {
  if (reference) {
    ZT_TRY_ASSIGN(const weights::TensorFile file, open(*reference));
    LoadRules rules;
    rules.contents = Contents::WithoutMotion;
    rules.optional_suffixes = {"conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight",
                               "conv_out.bias"};
    ZT_TRY(load(set, kDenoisingUNet, *reference, file, rules));
  } else {
    for (const params::StoredParam& param : set.store->params()) {
      if (!param.info.name.starts_with(kReferenceUNet)) continue;
      const std::string name = param.info.name.substr(kReferenceUNet.size());
      set.store->initialize_like(std::string(kDenoisingUNet) + name, param.info, seed);
    }
  }
  for (const char* name : {"conv_out.weight", "conv_out.bias"}) {
    const std::string full = fmt::format("{}.{}", kDenoisingUNet, name);
    set.store->assign(full, at::zeros(set.store->find(full)->info.shape));
  }
  return {};
}

}  // namespace

namespace internal {

NetworkSources network_sources(const config::ModelJob& job) {
  const auto first_of = [&](std::string_view network, const std::string& own, std::string_view own_key,
                            const std::filesystem::path& base,
                            std::string_view base_key) -> std::optional<NetworkSource> {
    if (!job.stage1_ckpt_dir.empty()) {
      const std::string name = fmt::format("{}-{}.pth", network, job.stage1_ckpt_step);
      return NetworkSource{std::filesystem::path(job.stage1_ckpt_dir) / name, "model.stage1_ckpt_dir"};
    }
    if (!own.empty()) return NetworkSource{own, std::string(own_key)};
    if (!base.empty()) return NetworkSource{base, std::string(base_key)};
    return std::nullopt;
  };
  const std::filesystem::path base = unet_folder(job.base_model_path);
  constexpr std::string_view kBase = "model.base_model_path";
  NetworkSources out;
  out.reference_unet =
      first_of(kReferenceUNet, job.reference_unet_path, "model.reference_unet_path", base, kBase);
  out.denoising_unet =
      first_of(kDenoisingUNet, job.denoising_unet_path, "model.denoising_unet_path", base, kBase);
  out.pose_guider = first_of(kPoseGuider, job.pose_guider_path, "model.pose_guider_path",
                             job.controlnet_openpose_path, "model.controlnet_openpose_path");
  if (!job.mm_path.empty()) out.motion = NetworkSource{job.mm_path, "model.mm_path"};
  return out;
}

}  // namespace internal

params::ParamTable declare_networks(const NetworkConfigs& configs) {
  params::ParamTable table;
  ReferenceNet(configs.reference_unet, params::ParamSource(table, kReferenceUNet));
  DenoisingUNet(configs.denoising_unet, params::ParamSource(table, kDenoisingUNet));
  PoseGuider(configs.pose_guider, params::ParamSource(table, kPoseGuider));
  return table;
}

NetworkSet make_networks(const NetworkConfigs& configs, const BuildOptions& options, bool initialize) {
  NetworkSet set;
  params::ParamStore::Options layout;
  layout.placement = options.placement;
  layout.seed = options.seed;
  layout.initialize = initialize;
  layout.device = options.device;
  layout.residency = options.residency;
  set.store = std::make_unique<params::ParamStore>(declare_networks(configs), layout);
  set.reference_net =
      std::make_unique<ReferenceNet>(configs.reference_unet, set.store->source(kReferenceUNet));
  set.denoising_unet =
      std::make_unique<DenoisingUNet>(configs.denoising_unet, set.store->source(kDenoisingUNet));
  set.pose_guider = std::make_unique<PoseGuider>(configs.pose_guider, set.store->source(kPoseGuider));
  return set;
}

Result<NetworkSet> build_networks(const config::ModelJob& job, int64_t latent_channels,
                                  const BuildOptions& options) {
  const NetworkSources sources = internal::network_sources(job);
  ZT_TRY_ASSIGN(const NetworkConfigs configs, network_configs(job, latent_channels, options.motion));
  NetworkSet set = make_networks(configs, options, /*initialize=*/false);
  ZT_TRY(load_files(set, sources, job, options));
  const Names loaded = loaded_names(set);
  set.store->initialize(options.seed,
                        [&](const params::ParamInfo& info) { return !loaded.contains(info.name); });
  if (job.motion_init == config::MotionInit::FrameLags && std::ranges::none_of(loaded, is_motion))
    start_with_frame_lags(*set.store, kDenoisingUNet, configs.denoising_unet.motion);
  if (!sources.denoising_unet && job.denoiser_init == config::DenoiserInit::CopyReference)
    ZT_TRY(copy_reference(set, sources.reference_unet, options.seed));
  return set;
}

Status require_trained_weights(const config::ModelJob& job) {
  const NetworkSources sources = internal::network_sources(job);
  const char* missing = !sources.reference_unet          ? "model.reference_unet_path"
                        : !sources.denoising_unet        ? "model.denoising_unet_path"
                        : !sources.pose_guider           ? "model.pose_guider_path"
                        : job.vae_model_path.empty()     ? "model.vae_model_path"
                        : job.image_encoder_path.empty() ? "model.image_encoder_path"
                                                         : nullptr;
  if (!missing) return {};
  return fail(ErrorCode::InvalidConfig,
              fmt::format("trained weights are wanted for every network, but {} is not set", missing));
}

bool needs_codec_fit(const config::ModelJob& job) {
  return job.codec.kind == config::CodecKind::Linear && job.vae_model_path.empty();
}

Result<std::unique_ptr<LatentCodec>> build_codec(const config::ModelJob& job, uint64_t seed,
                                                 at::Device device) {
  if (!job.vae_model_path.empty()) {
    auto codec = open_latent_codec(job.vae_model_path, device);
    if (!codec) return fail(std::move(codec).error().with("while loading model.vae_model_path"));
    return codec;
  }
  if (needs_codec_fit(job)) {
    return fail(ErrorCode::InvalidConfig,
                "model.codec.kind is linear and model.vae_model_path is not set: the codec must be fitted to "
                "pictures first");
  }
  ZT_TRY_ASSIGN(const VaeConfig config, inline_vae(job.codec));
  ZT_TRY(internal::require_store_memory(VaeCodec::declare(config), "a codec of random weights", device,
                                        "lower the sizes of model.codec, or set model.vae_model_path"));
  return VaeCodec::random(config, seed, device);
}

Result<std::unique_ptr<ClipEncoder>> build_image_encoder(const config::ModelJob& job, uint64_t seed,
                                                         at::Device device) {
  if (!job.image_encoder_path.empty()) {
    ZT_TRY_ASSIGN(const int64_t width, internal::context_width(job));
    auto encoder = ClipEncoder::open(job.image_encoder_path, device);
    if (!encoder) return fail(std::move(encoder).error().with("while loading model.image_encoder_path"));
    if ((*encoder)->config().projection_dim == width) return encoder;
    return fail(ErrorCode::InvalidConfig,
                fmt::format("model.image_encoder_path: its embeddings have {} numbers, the UNets take {} "
                            "(cross_attention_dim)",
                            (*encoder)->config().projection_dim, width));
  }
  ZT_TRY_ASSIGN(const ClipVisionConfig config, image_encoder_config(job));
  ZT_TRY(internal::require_store_memory(
      ClipEncoder::declare(config), "an image encoder of random weights", device,
      "lower the sizes of model.image_encoder, or set model.image_encoder_path"));
  return ClipEncoder::random(config, seed, device);
}

}  // namespace zt::models
