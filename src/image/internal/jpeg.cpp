// SPDX-License-Identifier: Apache-2.0
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
// jpeglib.h needs FILE from the headers above.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include "image/internal/codecs.hpp"

namespace zt::image::internal {
namespace {

// A progressive file may hold any number of scans over the whole picture; honest ones have about ten.
constexpr int kMaxScans = 200;

struct ErrorState {
  jpeg_error_mgr manager{};
  std::jmp_buf escape{};
  char message[JMSG_LENGTH_MAX] = "";
};

ErrorState* state_of(j_common_ptr codec) { return reinterpret_cast<ErrorState*>(codec->err); }

[[noreturn]] void on_error(j_common_ptr codec) {
  codec->err->format_message(codec, state_of(codec)->message);
  std::longjmp(state_of(codec)->escape, 1);
}

// Warnings are about damage that can be passed over, except that libjpeg fills what a short file lacks with
// grey.
void on_message(j_common_ptr codec, int level) {
  if (level < 0 && codec->err->msg_code == JWRN_JPEG_EOF) on_error(codec);
}

void on_progress(j_common_ptr codec) {
  if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number <= kMaxScans) return;
  std::snprintf(state_of(codec)->message, JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
  std::longjmp(state_of(codec)->escape, 1);
}

void prepare(ErrorState& errors, jpeg_error_mgr** slot) {
  *slot = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = on_error;
  errors.manager.emit_message = on_message;
}

struct Reader {
  Reader() { prepare(errors, &codec.err); }
  ~Reader() { jpeg_destroy_decompress(&codec); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ErrorState errors;
  jpeg_progress_mgr progress{};
  jpeg_decompress_struct codec{};
};

bool read_header(Reader& reader, Bytes bytes) {
  if (setjmp(reader.errors.escape)) return false;
  jpeg_create_decompress(&reader.codec);
  reader.progress.progress_monitor = on_progress;
  reader.codec.progress = &reader.progress;
  jpeg_mem_src(&reader.codec, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_save_markers(&reader.codec, JPEG_APP0 + 1, 0xffff);  // Exif
  jpeg_read_header(&reader.codec, TRUE);
  reader.codec.out_color_space = reader.codec.num_components == 4 ? JCS_CMYK : JCS_RGB;
  return true;
}

bool read_rows(Reader& reader, uint8_t* pixels, size_t row_bytes) {
  if (setjmp(reader.errors.escape)) return false;
  jpeg_start_decompress(&reader.codec);
  while (reader.codec.output_scanline < reader.codec.output_height) {
    JSAMPROW row = pixels + reader.codec.output_scanline * row_bytes;
    jpeg_read_scanlines(&reader.codec, &row, 1);
  }
  jpeg_finish_decompress(&reader.codec);
  return true;
}

Orientation orientation_of(const Reader& reader) {
  for (const jpeg_marker_struct* m = reader.codec.marker_list; m; m = m->next) {
    const Bytes block = std::as_bytes(std::span(m->data, m->data_length));
    if (block.size() > 6 && std::memcmp(block.data(), "Exif\0\0", 6) == 0) return exif_orientation(block);
  }
  return Orientation::Upright;
}

// Stored inverted, as Adobe does and PIL assumes; mixed as PIL's cmyk2rgb.
void cmyk_to_rgb(Decoded& picture) {
  const size_t num_pixels = static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height);
  std::vector<uint8_t> rgb(3 * num_pixels);
  for (size_t i = 0; i < num_pixels; ++i) {
    const uint8_t* stored = &picture.pixels[4 * i];
    for (size_t c = 0; c < 3; ++c) {
      const int product = (255 - stored[c]) * stored[3] + 128;
      rgb[3 * i + c] = static_cast<uint8_t>(stored[3] - (((product >> 8) + product) >> 8));
    }
  }
  picture.pixels = std::move(rgb);
  picture.channels = 3;
}

}  // namespace

bool is_jpeg(Bytes bytes) {
  return bytes.size() >= 3 && bytes[0] == std::byte{0xff} && bytes[1] == std::byte{0xd8} &&
         bytes[2] == std::byte{0xff};
}

Result<Decoded> decode_jpeg(Bytes bytes, std::string_view name, const ReadOptions& options) {
  Reader reader;
  if (!read_header(reader, bytes)) {
    return fail(ErrorCode::Corrupt,
                fmt::format("the header of JPEG picture {} can't be read: {}", name, reader.errors.message));
  }
  ZT_TRY(check_size(reader.codec.image_width, reader.codec.image_height, name, options));
  Decoded picture{.width = static_cast<int>(reader.codec.image_width),
                  .height = static_cast<int>(reader.codec.image_height),
                  .channels = reader.codec.out_color_space == JCS_CMYK ? 4 : 3,
                  .pixels = {},
                  .orientation = orientation_of(reader)};
  picture.pixels.resize(picture.row_bytes() * static_cast<size_t>(picture.height));
  if (!read_rows(reader, picture.pixels.data(), picture.row_bytes())) {
    return fail(ErrorCode::Corrupt,
                fmt::format("JPEG picture {} is damaged after row {} of {}: {}", name,
                            reader.codec.output_scanline, picture.height, reader.errors.message));
  }
  if (picture.channels == 4) cmyk_to_rgb(picture);
  return picture;
}

namespace {

struct Writer {
  Writer() { prepare(errors, &codec.err); }
  ~Writer() {
    jpeg_destroy_compress(&codec);
    std::free(bytes);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ErrorState errors;
  jpeg_compress_struct codec{};
  unsigned char* bytes = nullptr;  // grown by jpeg_mem_dest
  unsigned long size = 0;
};

bool write_all(Writer& writer, const Image& picture, int quality) {
  if (setjmp(writer.errors.escape)) return false;
  jpeg_create_compress(&writer.codec);
  jpeg_mem_dest(&writer.codec, &writer.bytes, &writer.size);
  writer.codec.image_width = static_cast<JDIMENSION>(picture.width);
  writer.codec.image_height = static_cast<JDIMENSION>(picture.height);
  writer.codec.input_components = picture.channels;
  writer.codec.in_color_space = picture.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&writer.codec);
  jpeg_set_quality(&writer.codec, quality, TRUE);
  for (int c = 0; c < writer.codec.num_components; ++c) {  // 4:4:4
    writer.codec.comp_info[c].h_samp_factor = writer.codec.comp_info[c].v_samp_factor = 1;
  }
  jpeg_start_compress(&writer.codec, TRUE);
  for (int y = 0; y < picture.height; ++y) {
    JSAMPROW row = const_cast<uint8_t*>(picture.row(y));
    jpeg_write_scanlines(&writer.codec, &row, 1);
  }
  jpeg_finish_compress(&writer.codec);
  return true;
}

}  // namespace
}  // namespace zt::image::internal

namespace zt::image {

Result<std::vector<std::byte>> encode_jpeg(const Image& picture, int quality) {
  if (picture.empty() || quality < 1 || quality > 100) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("a picture of {} x {} can't be stored as JPEG of quality {}", picture.width,
                            picture.height, quality));
  }
  internal::Writer writer;
  if (!internal::write_all(writer, picture, quality)) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("a picture of {} x {} can't be stored as JPEG: {}", picture.width, picture.height,
                            writer.errors.message));
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(writer.bytes);
  return std::vector<std::byte>(bytes, bytes + writer.size);
}

}  // namespace zt::image
