// SPDX-License-Identifier: Apache-2.0
// Pictures as the tensors that encoders and networks read. Shapes: F frames, C = 3 channels, H W picture
// size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "image/image.hpp"

namespace zt::prepare {

/// (C, H, W) fp32 in [-1, 1]: what the codec reads. Requires an RGB picture.
at::Tensor signed_pixels(const image::Image& picture);

/// (C, F, H, W) bytes: poses stay bytes until they are used, a quarter of the memory. Requires at least one
/// picture, all RGB and of one size.
at::Tensor byte_frames(std::span<const image::Image> pictures);

}  // namespace zt::prepare
