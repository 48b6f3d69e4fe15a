// SPDX-License-Identifier: Apache-2.0
// Where a video file's pictures are, found out from its packets without decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "media/internal/input.hpp"

namespace zt::media::internal {

/// Every picture's pts in order of display, and where decoding can start.
struct FrameTable {
  struct Keyframe {
    int64_t pts = 0;
    int64_t dts = 0;
  };
  std::vector<int64_t> pts;
  std::vector<Keyframe> keyframes;  ///< by pts

  /// The last keyframe at or before a time, or null.
  const Keyframe* keyframe_before(int64_t time) const;
  /// What it takes in memory.
  size_t bytes() const;
};

/// Null if numbers can't be told from timestamps (missing or repeated ones, or pictures before the first
/// keyframe): such files are decoded from the start. Requires an input that nothing was read of. Errors:
/// those of reading. Cost: all packets of the file.
Result<std::shared_ptr<const FrameTable>> read_table(Input& input, ReadReport& report);

}  // namespace zt::media::internal
