// SPDX-License-Identifier: Apache-2.0
// The size a video is asked for and the size the networks work at. Latents cover whole blocks of pixels (8 x
// 8 for Stable Diffusion's codec), so a size that is no multiple is worked on with a border at the right and
// at the bottom, which is cut off again: the result has exactly the size asked for and nothing is stretched.
// The reference rounds down instead.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "base/error.hpp"
#include "config/job/compat.hpp"
#include "config/job/generate_job.hpp"
#include "image/image.hpp"

namespace zt::generate {

struct Canvas {
  int width = 0;  ///< of the result
  int height = 0;
  int padded_width = 0;  ///< of what the networks see: multiples of the block
  int padded_height = 0;
};

/// Compat::Moore: width and height rounded down to the block, no border. Else: kept, and padded up to it.
/// Errors: InvalidArgument for sizes below one block (Moore) or below 1.
Result<Canvas> make_canvas(int64_t width, int64_t height, int64_t block_px, config::Compat compat);

/// Resized to width x height (Lanczos), then bordered: (3, padded_height, padded_width) in [0, 1]. A
/// photograph's border repeats its edge pixels.
at::Tensor place_photo(const Canvas& canvas, const image::Image& picture);
/// The same for pose pictures, whose border is black: (3, n, padded_height, padded_width).
at::Tensor place_poses(const Canvas& canvas, std::span<const image::Image> pictures);
/// Cuts the border off a result (3, padded_height, padded_width).
image::Image cut_out(const Canvas& canvas, const at::Tensor& picture_CHW,
                     config::PixelRounding rounding = config::PixelRounding::Nearest);

}  // namespace zt::generate
