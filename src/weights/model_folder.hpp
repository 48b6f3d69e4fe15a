// SPDX-License-Identifier: Apache-2.0
// A network as a folder in diffusers' or transformers' layout: config.json beside one safetensors file.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "weights/tensor_file.hpp"

namespace zt::weights {

/// `original` (a JSON object, may be empty text) with the keys of `updates` set: keys of the original that we
/// do not know survive, in their order. Errors: Corrupt when either is not a JSON object.
Result<std::string> merge_config(std::string_view original, std::string_view updates);

/// Makes `folder` and writes STEM.safetensors (metadata {"format": "pt"}), then config.json. `config_json` is
/// the complete text of a JSON object (see merge_config). STEM: "diffusion_pytorch_model" for diffusers,
/// "model" for transformers. Errors: InvalidArgument, and those of write_safetensors.
Status write_model_folder(const std::filesystem::path& folder, std::string_view config_json,
                          std::span<const TensorEntry> entries,
                          std::string_view stem = "diffusion_pytorch_model");

}  // namespace zt::weights
