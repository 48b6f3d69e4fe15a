// SPDX-License-Identifier: Apache-2.0
#include "generate/internal/weights_folder.hpp"

#include <fmt/format.h>

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace zt::generate::internal {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kFileEndings = {".pth", ".safetensors", ".ckpt", ".bin"};

/// What to look for and where its path goes.
struct Part {
  std::string config::ModelJob::*path;
  std::string_view key;
  std::vector<std::string_view> names;
  bool may_be_file;
  bool is_optional;
};

const std::array<Part, 7>& parts() {
  using Job = config::ModelJob;
  static const std::array<Part, 7> all = {{
      {&Job::denoising_unet_path, "model.denoising_unet_path", {"denoising_unet"}, true, false},
      {&Job::reference_unet_path, "model.reference_unet_path", {"reference_unet"}, true, false},
      {&Job::pose_guider_path, "model.pose_guider_path", {"pose_guider"}, true, false},
      {&Job::mm_path, "model.mm_path", {"motion_module", "motion_adapter"}, true, true},
      {&Job::vae_model_path, "model.vae_model_path", {"vae", "sd-vae-ft-mse", "codec"}, false, false},
      {&Job::image_encoder_path, "model.image_encoder_path", {"image_encoder"}, false, false},
      {&Job::base_model_path, "model.base_model_path", {"stable-diffusion-v1-5", "unet"}, false, true},
  }};
  return all;
}

/// Every path the part may have, in the order tried.
std::vector<fs::path> candidates(const fs::path& folder, const Part& part) {
  std::vector<fs::path> paths;
  for (const std::string_view name : part.names) {
    if (part.may_be_file)
      for (const std::string_view ending : kFileEndings)
        paths.push_back(folder / fmt::format("{}{}", name, ending));
    paths.push_back(folder / name);
  }
  return paths;
}

}  // namespace

Result<config::ModelJob> files_of_folder(const fs::path& folder, const config::ModelJob& given) {
  if (!fs::is_directory(folder))
    return fail(ErrorCode::NotFound, fmt::format("the folder of weights {} does not exist", folder.string()));
  config::ModelJob job = given;
  for (const Part& part : parts()) {
    if (!(job.*part.path).empty()) continue;
    std::vector<std::string> tried;
    for (const fs::path& path : candidates(folder, part)) {
      tried.push_back(path.filename().string());
      if (!fs::exists(path)) continue;
      job.*part.path = path.string();
      break;
    }
    if (!(job.*part.path).empty() || part.is_optional) continue;
    return fail(ErrorCode::NotFound, fmt::format("{} holds none of {}; put one there or set {}",
                                                 folder.string(), text::join(tried, ", "), part.key));
  }
  return job;
}

}  // namespace zt::generate::internal
