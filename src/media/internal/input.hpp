// SPDX-License-Identifier: Apache-2.0
// An opened video file: demuxer and decoder of its first real video stream, giving decoded frames one after
// another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/error.hpp"
#include "media/internal/ffmpeg.hpp"
#include "media/video_info.hpp"
#include "media/video_reader.hpp"

namespace zt::media::internal {

struct InputOptions {
  int thread_count = 1;
  int64_t max_pixels = 0;
  bool opens_too_large = false;  ///< VideoReaderOptions
};

class Input {
 public:
  /// Errors: as probe().
  static Result<Input> open(const std::filesystem::path& path, const InputOptions& options,
                            ReadReport& report);

  /// What the header says. Width and height are as stored.
  VideoInfo header_info() const;

  /// The next frame in order of display, or null at the end; it stays valid until the next call. Damaged
  /// packets are counted in `report` and passed over; at the end `report.is_truncated` is set if the file
  /// ended early. Errors: Unavailable if the file could not be read (a disk that errs), Unsupported above the
  /// limit, Exhausted.
  Result<const AVFrame*> next_frame(ReadReport& report);

  /// The next packet of the video stream, or null at the end; for looking through a file without decoding.
  /// Errors: Unavailable, Exhausted.
  Result<const AVPacket*> next_packet(ReadReport& report);

  /// Goes to a keyframe by timestamp. The next packet that next_frame() decodes is the first one there.
  /// Returns that packet's pts, or nothing if the seek failed (the position is then undefined).
  /// Errors: as next_packet().
  Result<std::optional<int64_t>> seek(int64_t timestamp, ReadReport& report);

  /// Packets map one to one to frames and seeking by timestamp is exact: mp4/mov and Matroska with codecs
  /// that hide no frames, progressive.
  bool can_seek_exactly() const;

  double seconds(int64_t timestamp) const {
    return static_cast<double>(timestamp) * av_q2d(stream_->time_base);
  }

 private:
  Result<bool> receive(ReadReport& report);
  bool ended_early() const;

  std::filesystem::path path_;
  int64_t max_pixels_ = 0;
  Status size_;            // an error: the header's is above the limit, and nothing else was opened
  Owned<AVIOContext> io_;  // outlives the format that reads from it
  Owned<AVFormatContext> format_;
  Owned<AVCodecContext> codec_;
  Owned<AVPacket> packet_;
  Owned<AVFrame> frame_;
  AVStream* stream_ = nullptr;       // owned by format_
  bool has_pending_packet_ = false;  // read by seek(), not yet decoded
  bool is_draining_ = false;
  bool was_cut_ = false;     // a read error or a packet shorter than announced
  bool has_sought_ = false;  // packet counts then say nothing about the file's end
  int64_t num_packets_ = 0;
  int64_t last_end_ = AV_NOPTS_VALUE;  // largest pts + duration seen
};

/// Turns decoded frames into pictures; keeps its scaler from frame to frame.
class FrameConverter {
 public:
  Result<image::Image> convert(const AVFrame& frame, const std::filesystem::path& path);

 private:
  Owned<SwsContext> scaler_;
  Owned<AVFrame> rgb_;
  int width_ = 0, height_ = 0, format_ = -1, matrix_ = -1, range_ = -1;
};

/// How stored pictures must be turned by a display matrix (9 numbers of a track header).
image::Orientation orientation_of(const int32_t* matrix);

}  // namespace zt::media::internal
