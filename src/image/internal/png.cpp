// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "image/internal/codecs.hpp"

namespace zt::image::internal {
namespace {

struct Reader {
  explicit Reader(Bytes file) : bytes(file) {}
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Bytes bytes;
  size_t offset = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
  int rows_read = 0;  // of the last pass
  char error[160] = "";
};

void on_error(png_structp png, png_const_charp message) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::snprintf(reader->error, sizeof reader->error, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, size_t count) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (reader->bytes.size() - reader->offset < count) png_error(png, "the file ends early");
  std::memcpy(to, reader->bytes.data() + reader->offset, count);
  reader->offset += count;
}

// Reads up to the first row and asks for 8-bit RGB or RGBA. False: reader.error says why.
bool read_header(Reader& reader) {
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (!reader.png) return false;
  if (setjmp(png_jmpbuf(reader.png))) return false;
  reader.info = png_create_info_struct(reader.png);
  png_set_read_fn(reader.png, &reader, on_read);
  png_set_user_limits(reader.png, 0x7fffffff, 0x7fffffff);  // check_size decides
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);  // palettes, small depths, transparency chunks
  png_set_strip_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  return true;
}

bool read_rows(Reader& reader, uint8_t* pixels, size_t row_bytes, int height) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  const int num_passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  if (png_get_rowbytes(reader.png, reader.info) != row_bytes) png_error(reader.png, "unexpected row size");
  for (int pass = 0; pass < num_passes; ++pass) {
    for (reader.rows_read = 0; reader.rows_read < height; ++reader.rows_read) {
      png_read_row(reader.png, pixels + static_cast<size_t>(reader.rows_read) * row_bytes, nullptr);
    }
  }
  return true;
}

Orientation orientation_of(const Reader& reader) {
  png_bytep block = nullptr;
  png_uint_32 size = 0;
  if (!png_get_eXIf_1(reader.png, reader.info, &size, &block)) return Orientation::Upright;
  return exif_orientation(std::as_bytes(std::span(block, size)));
}

}  // namespace

bool is_png(Bytes bytes) {
  return bytes.size() >= 8 && png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes.data()), 0, 8) == 0;
}

Result<Decoded> decode_png(Bytes bytes, std::string_view name, const ReadOptions& options) {
  Reader reader(bytes);
  if (!read_header(reader)) {
    return fail(ErrorCode::Corrupt,
                fmt::format("the header of PNG picture {} can't be read: {}", name, reader.error));
  }
  const int64_t width = png_get_image_width(reader.png, reader.info);
  const int64_t height = png_get_image_height(reader.png, reader.info);
  ZT_TRY(check_size(width, height, name, options));
  const bool has_alpha = (png_get_color_type(reader.png, reader.info) & PNG_COLOR_MASK_ALPHA) ||
                         png_get_valid(reader.png, reader.info, PNG_INFO_tRNS);
  Decoded picture{.width = static_cast<int>(width),
                  .height = static_cast<int>(height),
                  .channels = has_alpha ? 4 : 3,
                  .pixels = {},
                  .orientation = orientation_of(reader)};
  picture.pixels.resize(picture.row_bytes() * static_cast<size_t>(height));
  if (!read_rows(reader, picture.pixels.data(), picture.row_bytes(), picture.height)) {
    return fail(ErrorCode::Corrupt, fmt::format("PNG picture {} is damaged after row {} of {}: {}", name,
                                                reader.rows_read, height, reader.error));
  }
  return picture;
}

namespace {

struct Writer {
  ~Writer() { png_destroy_write_struct(&png, &info); }
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::vector<std::byte> bytes;
};

void on_write(png_structp png, png_bytep data, size_t count) {
  auto* writer = static_cast<Writer*>(png_get_io_ptr(png));
  const auto* from = reinterpret_cast<const std::byte*>(data);
  writer->bytes.insert(writer->bytes.end(), from, from + count);
}

bool write_all(Writer& writer, const Image& picture) {
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, on_warning);
  if (!writer.png) return false;
  if (setjmp(png_jmpbuf(writer.png))) return false;
  writer.info = png_create_info_struct(writer.png);
  png_set_write_fn(writer.png, &writer, on_write, nullptr);
  png_set_user_limits(writer.png, 0x7fffffff, 0x7fffffff);
  png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(picture.width),
               static_cast<png_uint_32>(picture.height), 8,
               picture.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_filter(writer.png, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
  png_set_compression_level(writer.png, 6);
  png_write_info(writer.png, writer.info);
  for (int y = 0; y < picture.height; ++y) png_write_row(writer.png, picture.row(y));
  png_write_end(writer.png, nullptr);
  return true;
}

}  // namespace
}  // namespace zt::image::internal

namespace zt::image {

Result<std::vector<std::byte>> encode_png(const Image& picture) {
  internal::Writer writer;
  if (picture.empty() || !internal::write_all(writer, picture)) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("a picture of {} x {} can't be stored as PNG", picture.width, picture.height));
  }
  return std::move(writer.bytes);
}

}  // namespace zt::image
