// SPDX-License-Identifier: Apache-2.0
// Picture files: PNG, JPEG and WebP in, PNG and JPEG out. The kind is found from the first bytes, never from
// the name. The result is what PIL's Image.open(path).convert("RGB") gives: palettes, grey, CMYK and YCCK
// become RGB, transparency is dropped, 16-bit RGB keeps the high byte. One difference: 16-bit grey keeps the
// high byte too, where PIL saturates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "image/image.hpp"

namespace zt::image {

struct ReadOptions {
  /// Pictures with more pixels are refused before memory is taken for them. The default is PIL's
  /// MAX_IMAGE_PIXELS.
  int64_t max_pixels = 89'478'485;
  /// Files with more bytes are refused.
  int64_t max_file_bytes = int64_t{512} << 20;
  /// Turn the picture upright by its Exif orientation. PIL's open() does not, so what must equal the Python
  /// pipelines leaves this off; reference pictures from users (phones) turn it on.
  bool apply_exif_orientation = false;
  /// Transparent pictures: laid over this colour. Without it the alpha channel is dropped, as PIL's
  /// convert("RGB") does, and the colours hidden under transparency show.
  std::optional<Rgb> background = std::nullopt;
};

/// Errors: NotFound, Permission; Unsupported if it is no PNG, JPEG or WebP, an animated WebP, or above a
/// limit; Exhausted without descriptors; Corrupt if damaged or cut short (the message says how many rows
/// could be read).
Result<Image> read(const std::filesystem::path& path, const ReadOptions& options = {});
/// The same from memory; `name` stands for the path in messages.
Result<Image> decode(std::span<const std::byte> bytes, std::string_view name,
                     const ReadOptions& options = {});

/// PNG bytes; the same picture always gives the same bytes (fixed filter and compression level, no time
/// stamp). 3 channels are stored as RGB, 1 channel as grey. Requires: not empty.
Result<std::vector<std::byte>> encode_png(const Image& picture);
/// JPEG bytes, 4:4:4, baseline. Requires: quality in 1..100.
Result<std::vector<std::byte>> encode_jpeg(const Image& picture, int quality = 92);

/// encode_png, written atomically (files::write_atomic).
Status write_png(const std::filesystem::path& path, const Image& picture);

}  // namespace zt::image
