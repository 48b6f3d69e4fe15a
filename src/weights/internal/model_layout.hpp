// SPDX-License-Identifier: Apache-2.0
// Where the weights lie in a folder of diffusers or transformers, and the index of weights split over several
// files.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::weights::internal {

/// The file (or index) to read: safetensors before .bin before .pth and .ckpt, whole before sharded, plain
/// before variants
/// ("diffusion_pytorch_model.fp16.safetensors"). Errors: NotFound (with what was looked for and what is
/// there), InvalidArgument when only several variants are there.
Result<std::filesystem::path> find_weights_file(const std::filesystem::path& folder);

/// File name of a shard -> the tensors it holds.
using ShardIndex = std::map<std::string, std::vector<std::string>>;

/// Reads {"metadata": ..., "weight_map": {tensor: file}}. Errors: Corrupt (no such object, a file name that
/// leads out of the folder), and those of files::read.
Result<ShardIndex> read_shard_index(const std::filesystem::path& path);
Result<ShardIndex> parse_shard_index(std::string_view json, std::string_view label);

}  // namespace zt::weights::internal
