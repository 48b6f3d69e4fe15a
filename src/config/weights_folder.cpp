// SPDX-License-Identifier: Apache-2.0
#include "config/weights_folder.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "base/text/text.hpp"

namespace zt::config {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kFileEndings = {".pth", ".safetensors", ".ckpt", ".bin"};

/// What to look for and where its path goes.
struct Part {
  std::string ModelJob::*path;
  std::string_view key;
  std::vector<std::string_view> names;
  bool may_be_file;
  bool is_optional;
};

const std::array<Part, 7>& parts() {
  static const std::array<Part, 7> all = {{
      {&ModelJob::denoising_unet_path, "denoising_unet_path", {"denoising_unet"}, true, false},
      {&ModelJob::reference_unet_path, "reference_unet_path", {"reference_unet"}, true, false},
      {&ModelJob::pose_guider_path, "pose_guider_path", {"pose_guider"}, true, false},
      {&ModelJob::mm_path, "mm_path", {"motion_module", "motion_adapter"}, true, true},
      {&ModelJob::vae_model_path, "vae_model_path", {"vae", "sd-vae-ft-mse", "codec"}, false, false},
      {&ModelJob::image_encoder_path, "image_encoder_path", {"image_encoder"}, false, false},
      {&ModelJob::base_model_path, "base_model_path", {"stable-diffusion-v1-5", "unet"}, false, true},
  }};
  return all;
}

/// Every name the part may have, in the order tried.
std::vector<std::string> candidates(const Part& part) {
  std::vector<std::string> names;
  for (const std::string_view name : part.names) {
    if (part.may_be_file)
      for (const std::string_view ending : kFileEndings) names.push_back(fmt::format("{}{}", name, ending));
    names.emplace_back(name);
  }
  return names;
}

/// Empty if the folder holds none.
std::string find(const fs::path& folder, const Part& part) {
  std::error_code ignored;
  for (const std::string& name : candidates(part))
    if (fs::exists(folder / name, ignored)) return (folder / name).string();
  return {};
}

Status check_folder(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return {};
  return fail(ErrorCode::NotFound, fmt::format("the folder of weights {} does not exist", folder.string()));
}

}  // namespace

Result<std::vector<KeyValue>> find_weights(const fs::path& folder) {
  ZT_TRY(check_folder(folder));
  std::vector<KeyValue> found;
  for (const Part& part : parts())
    if (std::string path = find(folder, part); !path.empty())
      found.push_back({std::string(part.key), std::move(path)});
  return found;
}

Result<ModelJob> files_of_folder(const fs::path& folder, const ModelJob& given) {
  ZT_TRY(check_folder(folder));
  ModelJob job = given;
  for (const Part& part : parts()) {
    std::string& path = job.*part.path;
    if (path.empty()) path = find(folder, part);
    if (!path.empty() || part.is_optional) continue;
    return fail(ErrorCode::NotFound,
                fmt::format("{} holds none of {}; put one there or set model.{}", folder.string(),
                            text::join(candidates(part), ", "), part.key));
  }
  return job;
}

}  // namespace zt::config
