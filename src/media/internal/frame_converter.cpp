// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "media/internal/input.hpp"

namespace zt::media::internal {
namespace {

// Chroma interpolated at full resolution and exact rounding: pictures feed training, speed comes from caching
// them.
constexpr int kScalerFlags =
    SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;

// The old "full range" formats, which swscale warns about, as plain format and range.
AVPixelFormat plain_format(int format, bool& is_full_range) {
  const auto full = [&](AVPixelFormat plain) {
    is_full_range = true;
    return plain;
  };
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return full(AV_PIX_FMT_YUV420P);
    case AV_PIX_FMT_YUVJ422P:
      return full(AV_PIX_FMT_YUV422P);
    case AV_PIX_FMT_YUVJ444P:
      return full(AV_PIX_FMT_YUV444P);
    case AV_PIX_FMT_YUVJ440P:
      return full(AV_PIX_FMT_YUV440P);
    case AV_PIX_FMT_YUVJ411P:
      return full(AV_PIX_FMT_YUV411P);
    default:
      return static_cast<AVPixelFormat>(format);
  }
}

}  // namespace

image::Orientation orientation_of(const int32_t* matrix) {
  using image::Orientation;
  // (x, y) of the stored picture goes to (a x + c y, b x + d y), y pointing down.
  const std::array<int32_t, 4> entries{matrix[0], matrix[1], matrix[3], matrix[4]};
  std::array<int, 4> signs{};
  std::transform(entries.begin(), entries.end(), signs.begin(), [](int32_t v) { return (v > 0) - (v < 0); });
  struct Row {
    std::array<int, 4> signs;  // a, b, c, d
    Orientation orientation;
  };
  constexpr std::array<Row, 7> kRows{{{{-1, 0, 0, 1}, Orientation::MirrorHorizontal},
                                      {{-1, 0, 0, -1}, Orientation::Rotate180},
                                      {{1, 0, 0, -1}, Orientation::MirrorVertical},
                                      {{0, 1, 1, 0}, Orientation::Transpose},
                                      {{0, 1, -1, 0}, Orientation::Rotate90},
                                      {{0, -1, -1, 0}, Orientation::Transverse},
                                      {{0, -1, 1, 0}, Orientation::Rotate270}}};
  for (const Row& row : kRows) {
    if (row.signs == signs) return row.orientation;
  }
  return Orientation::Upright;
}

Result<image::Image> FrameConverter::convert(const AVFrame& frame, const std::filesystem::path& path) {
  bool is_full_range = frame.color_range == AVCOL_RANGE_JPEG;
  const AVPixelFormat format = plain_format(frame.format, is_full_range);
  const int matrix = frame.colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : frame.colorspace;
  const int range = is_full_range ? 1 : 0;
  const bool is_same = scaler_ && width_ == frame.width && height_ == frame.height && format_ == format &&
                       matrix_ == matrix && range_ == range;
  if (!is_same) {
    scaler_.reset(sws_getContext(frame.width, frame.height, format, frame.width, frame.height,
                                 AV_PIX_FMT_RGB24, kScalerFlags, nullptr, nullptr, nullptr));
    if (!scaler_) {
      const char* name = av_get_pix_fmt_name(format);
      return fail(ErrorCode::Unsupported, fmt::format("pixel format {} of {} can't be turned into RGB",
                                                      name ? name : "(unknown)", path.string()));
    }
    sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(matrix), range,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    ZT_TRY_ASSIGN(rgb_, new_frame(frame.width, frame.height, AV_PIX_FMT_RGB24));
    width_ = frame.width, height_ = frame.height, format_ = format, matrix_ = matrix, range_ = range;
  }
  // Into a padded buffer first: swscale may write past the end of a row.
  sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, rgb_->data, rgb_->linesize);
  image::Image picture(frame.width, frame.height);
  for (int y = 0; y < frame.height; ++y) {
    std::copy_n(rgb_->data[0] + std::ptrdiff_t{y} * rgb_->linesize[0], picture.row_bytes(), picture.row(y));
  }
  return picture;
}

}  // namespace zt::media::internal
