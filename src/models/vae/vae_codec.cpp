// SPDX-License-Identifier: Apache-2.0
// See vae_codec.hpp.
#include "models/vae/vae_codec.hpp"

#include <ATen/ATen.h>

#include "models/internal/frozen_network.hpp"
#include "weights/names.hpp"

namespace zt::models {

VaeCodec::VaeCodec(const VaeConfig& config, std::unique_ptr<params::ParamStore> store,
                   std::string_view network)
    : store_(std::move(store)),
      network_(network),
      net_(config, store_->source(network)),
      digest_(store_->digest(network_ + ".")) {}

params::ParamTable VaeCodec::declare(const VaeConfig& config) {
  params::ParamTable table;
  AutoencoderKL(config, params::ParamSource(table, "vae"));
  return table;
}

std::unique_ptr<VaeCodec> VaeCodec::random(const VaeConfig& config, uint64_t seed, at::Device device) {
  return std::make_unique<VaeCodec>(config, internal::make_frozen_store(declare(config), seed, device));
}

Result<std::unique_ptr<VaeCodec>> VaeCodec::open(const std::filesystem::path& folder, at::Device device) {
  ZT_TRY_ASSIGN(const std::string json, internal::read_model_config(folder));
  ZT_TRY_ASSIGN(const VaeConfig config, parse_vae_config(json));
  ZT_TRY_ASSIGN(auto store,
                internal::load_frozen_store(declare(config), "vae", folder, weights::vae_name, device));
  return std::make_unique<VaeCodec>(config, std::move(store));
}

Status VaeCodec::save(const std::filesystem::path& folder) const {
  return internal::save_model_folder(*store_, network_, folder, to_json(net_.config()),
                                     "diffusion_pytorch_model");
}

Moments VaeCodec::encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const {
  // Both halves travel as one tensor, so that the parts are joined once.
  const at::Tensor moments_BCHW = internal::in_chunks(image_BCHW, chunk, [&](const at::Tensor& part) {
    const Moments moments = net_.encode(part);
    return at::cat({moments.mean_BCHW, moments.logvar_BCHW}, 1);
  });
  const std::vector<at::Tensor> halves = moments_BCHW.chunk(2, 1);
  return {halves[0], halves[1]};
}

at::Tensor VaeCodec::decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const {
  return internal::in_chunks(latents_BCHW, chunk, [&](const at::Tensor& part) { return net_.decode(part); });
}

}  // namespace zt::models
