// SPDX-License-Identifier: Apache-2.0
// See refined_codec.hpp.
#include "models/refined_codec/refined_codec.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

#include "base/hash.hpp"
#include "models/internal/frozen_network.hpp"
#include "weights/names.hpp"

namespace zt::models {
namespace {

constexpr const char* kNetwork = "refiner";

std::string digest_of(const LinearCodec& linear, const params::ParamStore& store) {
  hash::Xxh128 hash;
  hash.update(linear.digest());
  hash.update(store.digest());
  return hash.hex();
}

Status check_sizes(const LinearCodec& linear, const VaeConfig& config, const std::filesystem::path& folder) {
  if (config.latent_channels == linear.channels() && config.scale_factor() == linear.scale_factor() &&
      config.out_channels == 3)
    return {};
  return fail(
      ErrorCode::InvalidConfig,
      fmt::format("{}: the refiner makes {} channels from latents of {} at a factor of {}, the linear "
                  "codec beside it pictures (3 channels) from {} at a factor of {}: these are parts of "
                  "two codecs",
                  (folder / kNetwork).string(), config.out_channels, config.latent_channels,
                  config.scale_factor(), linear.channels(), linear.scale_factor()));
}

}  // namespace

RefinedCodec::RefinedCodec(LinearCodec linear, const VaeConfig& config,
                           std::unique_ptr<params::ParamStore> store)
    : linear_(std::move(linear)),
      config_(config),
      store_(std::move(store)),
      refiner_(config_, store_->source(kNetwork)),
      digest_(digest_of(linear_, *store_)) {}

params::ParamTable RefinedCodec::declare(const VaeConfig& config) {
  params::ParamTable table;
  VaeDecoder(config, params::ParamSource(table, kNetwork));
  return table;
}

std::unique_ptr<RefinedCodec> RefinedCodec::random(LinearCodec linear, const VaeConfig& config,
                                                   uint64_t seed) {
  auto store = internal::make_frozen_store(declare(config), seed, at::kCPU);
  return std::unique_ptr<RefinedCodec>(new RefinedCodec(std::move(linear), config, std::move(store)));
}

Result<VaeConfig> RefinedCodec::read_refiner_config(const std::filesystem::path& folder) {
  ZT_TRY_ASSIGN(const std::string json, internal::read_model_config(folder / kNetwork));
  auto config = parse_vae_config(json);
  if (!config) return fail(std::move(config).error().with("while reading " + (folder / kNetwork).string()));
  return config;
}

Result<std::unique_ptr<RefinedCodec>> RefinedCodec::open(const std::filesystem::path& folder,
                                                         at::Device device) {
  ZT_TRY_ASSIGN(const auto linear, LinearCodec::open(folder, device));
  ZT_TRY_ASSIGN(const VaeConfig config, read_refiner_config(folder));
  ZT_TRY(check_sizes(*linear, config, folder));
  ZT_TRY_ASSIGN(auto store, internal::load_frozen_store(declare(config), kNetwork, folder / kNetwork,
                                                        weights::vae_name, device));
  return std::unique_ptr<RefinedCodec>(new RefinedCodec(*linear, config, std::move(store)));
}

Status RefinedCodec::save(const std::filesystem::path& folder) const {
  ZT_TRY(linear_.save_as(kClassName, folder));
  return internal::save_model_folder(*store_, kNetwork, folder / kNetwork, to_json(config_),
                                     "diffusion_pytorch_model");
}

Moments RefinedCodec::encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const {
  return linear_.encode(image_BCHW, chunk);
}

at::Tensor RefinedCodec::decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const {
  return internal::in_chunks(latents_BCHW, chunk, [&](const at::Tensor& part) {
    return linear_.decode(part, chunk) + refiner_(part);
  });
}

}  // namespace zt::models
