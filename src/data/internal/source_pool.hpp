// SPDX-License-Identifier: Apache-2.0
// A small number of open videos and folders: neighbouring samples often come from the same files. One caller
// at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <span>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "data/frame_source.hpp"
#include "image/image.hpp"

namespace zt::data::internal {

class SourcePool {
 public:
  /// As FrameSource::frames(). A source that failed is closed.
  Result<std::vector<image::Image>> frames(const std::filesystem::path& path,
                                           std::span<const int64_t> numbers);

 private:
  static constexpr size_t kMaxOpen = 4;  ///< picture, pose and mask of one clip, and one to spare
  std::list<std::pair<std::filesystem::path, FrameSource>> open_;  ///< the most recently used first
};

}  // namespace zt::data::internal
