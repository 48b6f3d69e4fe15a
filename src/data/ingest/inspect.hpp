// SPDX-License-Identifier: Apache-2.0
// Looks at an index: a table for the terminal and a contact sheet for the eye.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "image/image.hpp"

namespace zt::data {

struct IndexSummary {
  int64_t clips = 0;
  int64_t frames = 0;
  double seconds = 0;
  std::string text;  ///< table: totals, splits, sizes, frame rates, pose sources, the first clips
};

IndexSummary summarise(const ClipIndex& index, size_t max_rows = 20);

struct SheetOptions {
  size_t max_clips = 12;  ///< rows, evenly spread over the index
  int frames = 6;         ///< columns of pictures per clip, each above its pose
  int tile = 96;          ///< longest side of a tile in pixels
};

/// One row per clip: frames spread over the clip, their poses below. A clip that can't be read gets a row
/// that says so.
Result<image::Image> contact_sheet(const ClipIndex& index, const SheetOptions& options = {});

}  // namespace zt::data
