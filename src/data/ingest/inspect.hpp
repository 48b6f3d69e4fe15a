// SPDX-License-Identifier: Apache-2.0
// Looks at an index: a table for the terminal and a contact sheet for the eye.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "image/image.hpp"

namespace zt::data {

struct IndexSummary {
  int64_t clips = 0;
  int64_t frames = 0;
  double seconds = 0;  ///< of the clips whose frame rate is known
  std::string json;    ///< one line: the totals, and clips by split, size, rate and pose source
  std::string text;    ///< table: totals, splits, sizes, frame rates, pose sources, the first clips
};

IndexSummary summarise(const ClipIndex& index, size_t max_rows = 20);

struct SheetOptions {
  size_t max_clips = 12;  ///< evenly spread over the index
  int frames = 6;         ///< pictures per clip, evenly spread over it
  int tile = 96;          ///< longest side of a picture in pixels
};

/// Per clip a line of text, its frames, and below them their poses (everybody in the key-points where
/// there are any, else the pose video). A clip that can't be read has the reason in place of its pictures.
/// Requires: positive options. Errors: InvalidArgument if the index holds no clip.
Result<image::Image> contact_sheet(const ClipIndex& index, const SheetOptions& options = {});

}  // namespace zt::data
