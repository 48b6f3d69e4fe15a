// SPDX-License-Identifier: Apache-2.0
// The one check that all measures share.
#pragma once

#include <stdexcept>

#include "image/image.hpp"

namespace zt::quality::internal {

inline void require_same_shape(const image::Image& a, const image::Image& b) {
  if (a.empty() || a.width != b.width || a.height != b.height || a.channels != b.channels) {
    throw std::invalid_argument("pictures to compare differ in size or are empty");
  }
}

inline void require_mask_for(const image::Image& mask, const image::Image& picture) {
  if (picture.empty() || mask.channels != 1 || mask.width != picture.width || mask.height != picture.height) {
    throw std::invalid_argument("a mask must have one channel and the picture's size");
  }
}

}  // namespace zt::quality::internal
