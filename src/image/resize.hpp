// SPDX-License-Identifier: Apache-2.0
// Resizing, bit for bit as Pillow (to version 12) does it on 8-bit pictures: antialiased support, a
// horizontal pass, then a vertical pass, each with 22-bit fixed-point weights and rounding to 8 bits. (Pillow
// 13 swaps the passes where that is cheaper: pictures that become wider and flatter may differ from it by
// rounding.) What torchvision calls resize(..., antialias=True) of a PIL picture and what CLIPImageProcessor
// does is this. Source: Pillow src/libImaging/Resample.c and Geometry.c (ImagingScaleAffine); tests hold
// pictures made by Pillow.
#pragma once

#include <cstdint>

#include "image/image.hpp"

namespace zt::image {

/// Bicubic has a = -0.5; Lanczos has three lobes. Nearest does no antialiasing.
enum class Filter : uint8_t { Nearest, Bilinear, Bicubic, Lanczos };

/// A part of a picture in pixels; edges may lie between pixels.
struct Box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

/// PIL's image.resize((width, height), filter). Requires: width, height >= 1, source not empty.
Image resize(const Image& source, int width, int height, Filter filter);

/// PIL's image.resize((width, height), filter, box): only the box is scaled to the whole result, but the
/// filter also sees pixels beyond the box's edges. Requires: 0 <= left < right <= source.width, likewise top
/// and bottom. The edges are rounded to float first, as Pillow does.
Image resize_box(const Image& source, const Box& box, int width, int height, Filter filter);

/// Scales so that the shorter side is `shortest`; the longer is int(shortest * long / short), rounded down as
/// in torchvision's and transformers' resize.
Image resize_shortest_edge(const Image& source, int shortest, Filter filter);

}  // namespace zt::image
