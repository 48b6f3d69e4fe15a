// SPDX-License-Identifier: Apache-2.0
// left-out.json of a run folder: clips that its ranks must not read, because a rank crashed or hung twice
// with the same samples of them in hand. The launcher adds to it; ranks read it whenever they start or begin
// again. Format: docs/formats/run-folder.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract {

struct LeftOutClip {
  static constexpr int kVersion = 1;
  int64_t clip = 0;  ///< position among the clips of data.splits
  std::string why;   ///< for people
};

std::string to_json(const std::vector<LeftOutClip>& clips);
/// Errors: Corrupt for anything but a complete list, Unsupported for another version.
Result<std::vector<LeftOutClip>> parse_left_out(std::string_view json);
/// Of a file; none if it is absent. Errors: as above, saying how to get rid of it; those of reading.
Result<std::vector<LeftOutClip>> read_left_out(const std::filesystem::path& path);

}  // namespace zt::contract
