// SPDX-License-Identifier: Apache-2.0
// See latent_codec.hpp.
#include "models/latent_codec.hpp"

#include <ATen/ATen.h>

#include "models/internal/config_reader.hpp"
#include "models/internal/frozen_network.hpp"
#include "models/linear_codec/linear_codec.hpp"
#include "models/refined_codec/refined_codec.hpp"
#include "models/vae/vae_codec.hpp"

namespace zt::models {

at::Tensor Moments::sample(const at::Tensor& noise_BCHW) const {
  return mean_BCHW + (0.5 * logvar_BCHW).exp() * noise_BCHW;
}

Result<std::unique_ptr<LatentCodec>> open_latent_codec(const std::filesystem::path& folder,
                                                       at::Device device) {
  ZT_TRY_ASSIGN(const std::string json, internal::read_model_config(folder));
  ZT_TRY_ASSIGN(auto reader, internal::ConfigReader::parse(json, (folder / "config.json").string()));
  // Files of old diffusers name no class: they are VAEs.
  std::string class_name;
  reader.read("_class_name", class_name);
  ZT_TRY(reader.status());
  if (class_name == "LinearCodec") return LinearCodec::open(folder, device);
  if (class_name == RefinedCodec::kClassName) return RefinedCodec::open(folder, device);
  return VaeCodec::open(folder, device);
}

}  // namespace zt::models
