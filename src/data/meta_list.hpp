// SPDX-License-Identifier: Apache-2.0
// Moore-AnimateAnyone's *_meta.json: a list of {"video_path": ..., "kps_path": ...}. Read as it stands, and
// made into an index by a quick look at every file, for training straight from such lists. `data ingest`
// decodes every frame instead.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"

namespace zt::data {

struct MetaPair {
  std::string video;  ///< as written: relative to the working folder, where the reference's scripts run
  std::string pose;   ///< video of the same length
  bool operator==(const MetaPair&) const = default;
};

/// Other keys are ignored. Errors: Corrupt, with the number of the entry.
Result<std::vector<MetaPair>> parse_meta_list(std::string_view text);
Result<std::vector<MetaPair>> read_meta_list(const std::filesystem::path& path);

/// One clip per pair of all lists, in their order, split "train". Frames are counted as the container says. A
/// pair that can't be opened or whose lengths differ is named in the log and left out. Paths are relative to
/// the working folder. `content` is a digest of path, size and time of change: cheaper than the bytes, and as
/// good on one machine. Errors: those of reading the lists; InvalidArgument if no pair is usable.
Result<ClipIndex> index_meta_lists(std::span<const std::filesystem::path> lists, size_t num_threads);

}  // namespace zt::data
