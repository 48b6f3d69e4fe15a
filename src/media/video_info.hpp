// SPDX-License-Identifier: Apache-2.0
// What a video file contains, without its pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "image/image.hpp"

namespace zt::media {

/// A frame rate or time base, in lowest terms when it comes from this folder. 30000/1001 stays 30000/1001.
struct Rational {
  int64_t num = 0;
  int64_t den = 1;
  double value() const { return den == 0 ? 0.0 : static_cast<double>(num) / static_cast<double>(den); }
  friend bool operator==(const Rational&, const Rational&) = default;
};

struct VideoInfo {
  int width = 0;  ///< of the pictures as a reader gives them, that is after rotation
  int height = 0;
  Rational fps;           ///< average rate: frames by duration
  double duration_s = 0;  ///< as the container says; 0 if it doesn't
  /// Frames as the container says (0 = it doesn't), or exactly what decodes if ProbeOptions::count_frames was
  /// set.
  int64_t num_frames = 0;
  bool is_counted =
      false;  ///< num_frames, corrupt_frames, is_variable_rate come from decoding the whole file
  int64_t corrupt_frames = 0;  ///< frames that could not be decoded or were decoded with damage
  bool is_variable_rate =
      false;  ///< some frame distance differs from the others by more than the time base's rounding
  bool is_truncated = false;  ///< the file ends before its last frame does
  std::string codec;          ///< e.g. "h264"
  std::string container;      ///< e.g. "mov,mp4,m4a,3gp,3g2,mj2"
  std::string pixel_format;   ///< e.g. "yuv420p10le"
  int bits_per_channel = 8;
  /// How stored pictures are turned; anything but a multiple of 90 degrees is reported as Upright.
  image::Orientation orientation = image::Orientation::Upright;
  bool has_audio = false;
  std::map<std::string, std::string> metadata;  ///< of the container, e.g. "seed" of a generated clip
  std::vector<std::string> notes;               ///< what FFmpeg complained about, at most 16 lines
};

struct ProbeOptions {
  bool count_frames = false;              ///< decode everything: exact, and as slow as reading the clip
  int64_t max_pixels = int64_t{1} << 26;  ///< larger pictures are refused (64 Mi pixels: 8192 x 8192)
};

/// Errors: NotFound, Permission; InvalidArgument if it is no regular file; Unsupported if FFmpeg knows no
/// such format, if there is no video stream ("has sound but no picture"), no decoder for its codec, or the
/// pictures are larger than the limit; Corrupt if the header is damaged or no frame decodes; Unavailable if
/// it could not be read (a disk that errs); Exhausted without memory or descriptors. Nested files (playlists)
/// are never opened.
Result<VideoInfo> probe(const std::filesystem::path& path, const ProbeOptions& options = {});

}  // namespace zt::media
