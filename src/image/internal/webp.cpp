// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <webp/decode.h>

#include <cstring>

#include "image/internal/codecs.hpp"

namespace zt::image::internal {
namespace {

const uint8_t* data_of(Bytes bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

std::string_view reason(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return "the file ends early";
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a feature that libwebp doesn't know";
    default:
      return "the bytes are not a WebP picture";
  }
}

// The chunks of a RIFF file: four letters, size, content padded to even length.
Orientation orientation_of(Bytes bytes) {
  size_t at = 12;
  while (at + 8 <= bytes.size()) {
    uint32_t size = 0;
    std::memcpy(&size, bytes.data() + at + 4, 4);
    const size_t content = at + 8;
    if (size > bytes.size() - content) break;
    if (std::memcmp(bytes.data() + at, "EXIF", 4) == 0) return exif_orientation(bytes.subspan(content, size));
    at = content + size + (size & 1);
  }
  return Orientation::Upright;
}

}  // namespace

bool is_webp(Bytes bytes) {
  return bytes.size() >= 12 && std::memcmp(bytes.data(), "RIFF", 4) == 0 &&
         std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

Result<Decoded> decode_webp(Bytes bytes, std::string_view name, const ReadOptions& options) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return fail(ErrorCode::Internal, "libwebp is of another version than its header");
  VP8StatusCode status = WebPGetFeatures(data_of(bytes), bytes.size(), &config.input);
  if (status != VP8_STATUS_OK) {
    return fail(ErrorCode::Corrupt,
                fmt::format("the header of WebP picture {} can't be read: {}", name, reason(status)));
  }
  if (config.input.has_animation) {
    return fail(ErrorCode::Unsupported,
                fmt::format("{} is an animated WebP: give one picture, or a video file", name));
  }
  ZT_TRY(check_size(config.input.width, config.input.height, name, options));
  Decoded picture{.width = config.input.width,
                  .height = config.input.height,
                  .channels = config.input.has_alpha ? 4 : 3,
                  .pixels = {},
                  .orientation = orientation_of(bytes)};
  picture.pixels.resize(picture.row_bytes() * static_cast<size_t>(picture.height));
  config.output.colorspace = picture.channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {.rgba = picture.pixels.data(),
                          .stride = static_cast<int>(picture.row_bytes()),
                          .size = picture.pixels.size()};
  status = WebPDecode(data_of(bytes), bytes.size(), &config);
  if (status != VP8_STATUS_OK) {
    return fail(ErrorCode::Corrupt, fmt::format("WebP picture {} is damaged: {}", name, reason(status)));
  }
  return picture;
}

}  // namespace zt::image::internal
