// SPDX-License-Identifier: Apache-2.0
// Pictures: stored as tensors of bytes, and made ready for CLIP.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstring>

#include "image/image.hpp"
#include "image/resize.hpp"

namespace zt::parity {

/// picture_HWC: uint8, contiguous.
inline image::Image picture_of(const at::Tensor& picture_HWC) {
  image::Image out(static_cast<int>(picture_HWC.size(1)), static_cast<int>(picture_HWC.size(0)));
  std::memcpy(out.pixels.data(), picture_HWC.const_data_ptr(), out.pixels.size());
  return out;
}

/// As the long pipeline gives a reference to CLIP, whatever the encoder's size.
inline image::Image squashed(const image::Image& picture) {
  constexpr int kSide = 224;
  return image::resize(picture, kSide, kSide, image::Filter::Bicubic);
}

}  // namespace zt::parity
