// SPDX-License-Identifier: Apache-2.0
// The decoders behind file.hpp, one .cpp for each C library. The libraries report errors by longjmp: what
// runs under setjmp sits in functions whose frames hold no object with a destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "image/file.hpp"

namespace zt::image::internal {

using Bytes = std::span<const std::byte>;

/// A picture as stored: RGB or RGBA, not turned.
struct Decoded {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<uint8_t> pixels;
  Orientation orientation = Orientation::Upright;

  size_t row_bytes() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
};

bool is_png(Bytes bytes);
bool is_jpeg(Bytes bytes);
bool is_webp(Bytes bytes);
Result<Decoded> decode_png(Bytes bytes, std::string_view name, const ReadOptions& options);
Result<Decoded> decode_jpeg(Bytes bytes, std::string_view name, const ReadOptions& options);
Result<Decoded> decode_webp(Bytes bytes, std::string_view name, const ReadOptions& options);

/// Unsupported if width * height is above the limit; called before memory is taken.
Status check_size(int64_t width, int64_t height, std::string_view name, const ReadOptions& options);

/// The value of tag 0x0112 in a TIFF block (the content of Exif chunks, with or without "Exif\0\0" in front);
/// Upright if there is none or the block is damaged.
Orientation exif_orientation(Bytes block);

}  // namespace zt::image::internal
