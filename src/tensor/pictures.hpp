// SPDX-License-Identifier: Apache-2.0
// 8-bit pictures as tensors and back. Shapes: C channels, H height, W width, in [0, 1].
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "image/clip_input.hpp"
#include "image/image.hpp"

namespace zt::tensor {

/// value / 255, fp32 on the CPU: (C, H, W). Requires: not empty.
at::Tensor from_picture(const image::Image& picture);
/// Pictures of one size: (N, C, H, W). Requires: at least one.
at::Tensor from_pictures(std::span<const image::Image> pictures);

/// What CLIP's encoder reads: (1, 3, options.size, options.size), fp32 on the CPU. For training and
/// generation alike. Requires: as image::clip_input().
at::Tensor clip_pixels(const image::Image& picture, const image::ClipInputOptions& options);

/// Clamped to [0, 1], times 255, rounded to nearest. Any float type and device. Shape (C, H, W), C 1 or 3.
image::Image to_picture(const at::Tensor& picture_CHW);

}  // namespace zt::tensor
