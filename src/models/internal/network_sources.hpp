// SPDX-License-Identifier: Apache-2.0
// Which file each network of a run starts from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "config/job/model_job.hpp"

namespace zt::models::internal {

struct NetworkSource {
  std::filesystem::path path;
  std::string key;  ///< the config key that names it, for messages
};
struct NetworkSources {
  std::optional<NetworkSource> reference_unet, denoising_unet, pose_guider, motion;
};
/// The first of stage1_ckpt_dir, the network's own path, the base model; paths are not looked at.
NetworkSources network_sources(const config::ModelJob& job);

/// `base_model`/unet if there is such a folder, else the path itself.
std::filesystem::path unet_folder(const std::filesystem::path& base_model);

/// Width of the context tokens that the UNets of a job take.
Result<int64_t> context_width(const config::ModelJob& job);

}  // namespace zt::models::internal
