// SPDX-License-Identifier: Apache-2.0
// FFmpeg's C objects with owners, its errors as ours, and its log lines caught. The only header that includes
// FFmpeg.
#pragma once

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace zt::media::internal {

struct Deleter {
  void operator()(AVFormatContext* format) const;  // an input; outputs are freed by avformat_free_context
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVIOContext* io) const { avio_close(io); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
template <class T>
using Owned = std::unique_ptr<T, Deleter>;

/// "Invalid data found when processing input" for AVERROR_INVALIDDATA and so on.
std::string text_of(int averror);

/// An Error for a failed operation on a file: errno codes as files::errno_error, threads that can't be
/// started
/// -> Exhausted, unknown codecs -> Unsupported, else `otherwise`. ENOMEM is Exhausted only where memory is
/// short: a damaged file may ask for any amount.
Error error_of(std::string_view doing, const std::filesystem::path& path, int averror, ErrorCode otherwise);

/// What the system said when it could not read the file; 0 if it could. FFmpeg keeps it beside the end of
/// file or the damage that its demuxers make of it.
int read_error(const AVIOContext& io);

/// A frame with memory of its own. Errors: Exhausted.
Result<Owned<AVFrame>> new_frame(int width, int height, AVPixelFormat format);

/// "file:PATH", so that a name such as "http:x" is never taken for a protocol.
std::string url_of(const std::filesystem::path& path);

/// While it lives, FFmpeg's warnings and errors on this thread go into `lines` (16 at most) instead of
/// stderr. Lines of other threads, and of threads without a capture, are dropped: FFmpeg never prints.
/// Captures nest.
class LogCapture {
 public:
  explicit LogCapture(std::vector<std::string>& lines);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

 private:
  std::vector<std::string>* before_;
};

}  // namespace zt::media::internal
