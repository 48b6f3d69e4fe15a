// SPDX-License-Identifier: Apache-2.0
#include "image/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/files/files.hpp"
#include "image/internal/codecs.hpp"

namespace zt::image {
namespace internal {

Status check_size(int64_t width, int64_t height, std::string_view name, const ReadOptions& options) {
  if (width < 1 || height < 1) {
    return fail(ErrorCode::Corrupt, fmt::format("picture {} claims a size of {} x {}", name, width, height));
  }
  if (width > options.max_pixels / height) {
    return fail(ErrorCode::Unsupported,
                fmt::format("picture {} has {} x {} pixels, more than the limit of {}: scale it down", name,
                            width, height, options.max_pixels));
  }
  return {};
}

}  // namespace internal

namespace {

// Drops the alpha channel or lays the picture over the background.
Image without_alpha(internal::Decoded decoded, const std::optional<Rgb>& background) {
  Image picture(decoded.width, decoded.height);
  if (decoded.channels == 3) {
    picture.pixels = std::move(decoded.pixels);
    return picture;
  }
  for (size_t from = 0, to = 0; from < decoded.pixels.size(); from += 4, to += 3) {
    const int alpha = background ? decoded.pixels[from + 3] : 255;
    for (size_t c = 0; c < 3; ++c) {
      const int behind = background ? (*background)[c] : 0;
      picture.pixels[to + c] =
          static_cast<uint8_t>((decoded.pixels[from + c] * alpha + behind * (255 - alpha) + 127) / 255);
    }
  }
  return picture;
}

Result<internal::Decoded> decode_any(std::span<const std::byte> bytes, std::string_view name,
                                     const ReadOptions& options) {
  if (internal::is_png(bytes)) return internal::decode_png(bytes, name, options);
  if (internal::is_jpeg(bytes)) return internal::decode_jpeg(bytes, name, options);
  if (internal::is_webp(bytes)) return internal::decode_webp(bytes, name, options);
  if (bytes.empty()) return fail(ErrorCode::Corrupt, fmt::format("picture {} is an empty file", name));
  return fail(
      ErrorCode::Unsupported,
      fmt::format("{} is not a PNG, JPEG or WebP picture: convert it, as in `ffmpeg -i {} picture.png`", name,
                  name));
}

}  // namespace

Result<Image> decode(std::span<const std::byte> bytes, std::string_view name, const ReadOptions& options) {
  ZT_TRY_ASSIGN(internal::Decoded decoded, decode_any(bytes, name, options));
  const Orientation orientation = options.apply_exif_orientation ? decoded.orientation : Orientation::Upright;
  return oriented(without_alpha(std::move(decoded), options.background), orientation);
}

Result<Image> read(const std::filesystem::path& path, const ReadOptions& options) {
  ZT_TRY_ASSIGN(const std::string bytes, files::read(path, static_cast<uint64_t>(options.max_file_bytes)));
  return decode(std::as_bytes(std::span(bytes)), path.string(), options);
}

Status write_png(const std::filesystem::path& path, const Image& picture) {
  ZT_TRY_ASSIGN(const std::vector<std::byte> bytes, encode_png(picture));
  return files::write_atomic(path, bytes);
}

}  // namespace zt::image
