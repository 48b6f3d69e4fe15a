// SPDX-License-Identifier: Apache-2.0
// What CLIP's vision tower reads: a picture scaled to a square, as numbers. Equal to transformers'
// CLIPImageProcessor with its default settings (tests hold its output).
#pragma once

#include <array>
#include <vector>

#include "image/image.hpp"

namespace zt::image {

/// How the picture becomes a square.
enum class ClipFit {
  ShortestEdge,  ///< shorter side to `size` (bicubic), then the middle square: training, and
                 ///< CLIPImageProcessor itself
  Squash,  ///< both sides to `size` (bicubic), the aspect lost: the reference's long pipeline does this first
};

struct ClipInputOptions {
  int size = 224;
  ClipFit fit = ClipFit::ShortestEdge;
  std::array<float, 3> mean{0.48145466F, 0.4578275F, 0.40821073F};
  std::array<float, 3> std{0.26862954F, 0.26130258F, 0.27577711F};
};

/// (value / 255 - mean) / std of every pixel, channel by channel (CHW), 3 * size * size numbers.
/// Requires: a picture with 3 channels, size >= 1.
std::vector<float> clip_input(const Image& source, const ClipInputOptions& options = {});

}  // namespace zt::image
