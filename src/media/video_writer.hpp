// SPDX-License-Identifier: Apache-2.0
// Writes pictures as an H.264 mp4 that any player opens: yuv420p, BT.601 limited range (tagged), index at the
// front. The file appears under its name only when finish() succeeds. Same pictures and options give the same
// bytes with the same FFmpeg and encoder libraries (one thread, no time stamps, no version strings).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "image/image.hpp"
#include "media/video_info.hpp"

namespace zt::media {

inline constexpr int kMaxVideoSide = 16384;  ///< pixels

struct VideoWriterOptions {
  int width =
      0;  ///< of the pictures. Odd sizes are stored one pixel larger: the last column or row is repeated
  int height = 0;
  Rational fps{30, 1};
  int crf = 18;  ///< x264's constant rate factor, 0 (lossless) to 51; smaller is better and larger
  int gop = 12;  ///< frames from one keyframe to the next: small so that training data can be read at random
  std::string preset = "veryfast";  ///< x264's speed preset
  /// Stored in the container, e.g. {"seed", "42"}, {"weights", digest}. Read back by probe().
  std::vector<std::pair<std::string, std::string>> metadata{};
  /// Encoders to try, by FFmpeg's names; the first that this FFmpeg has is used. x264 is GPL and therefore
  /// looked up at run time; mpeg4 is always there, with the quantiser crf / 6.
  std::vector<std::string> encoders{"libx264", "mpeg4"};
};

/// Whether a video can have this name. Errors: InvalidArgument for another ending than those of open().
Status require_video_name(const std::filesystem::path& path);

class VideoWriter {
 public:
  /// The container follows the name's ending (.mp4, .mov, .mkv, .avi). Errors: InvalidArgument for sizes,
  /// rates, crf or gop out of range or an unknown ending; Unsupported if no encoder of the list is there;
  /// NotFound or Permission for the folder.
  static Result<VideoWriter> open(const std::filesystem::path& path, const VideoWriterOptions& options);
  VideoWriter(VideoWriter&&) noexcept;
  VideoWriter& operator=(VideoWriter&&) noexcept;
  /// Without finish() the temporary file is removed and nothing remains.
  ~VideoWriter();

  /// Adds a picture. Errors: InvalidArgument if its size is not the one declared or it has not 3 channels;
  /// Exhausted if the disk is full. After an error the writer can only be destroyed.
  Status write(const image::Image& picture);
  /// Writes what is pending, syncs, and gives the file its name. Errors: InvalidArgument if there was no
  /// picture; Exhausted, Permission. Call once.
  Status finish();

  /// Of the stored pictures: the options' sides rounded up to even ones.
  int width() const;
  int height() const;
  /// The encoder chosen, e.g. "libx264".
  const std::string& encoder() const;

 private:
  struct State;
  explicit VideoWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// All pictures as one file.
Status write_video(const std::filesystem::path& path, std::span<const image::Image> pictures,
                   const VideoWriterOptions& options);

}  // namespace zt::media
