// SPDX-License-Identifier: Apache-2.0
// Reads the pictures of a video file as RGB: one after another, or chosen ones by number. Whatever FFmpeg
// decodes is accepted (any pixel format, 10 bits, variable rate); display rotation is applied. Colours follow
// the file's own matrix and range; untagged files count as BT.601 limited range, as swscale and PyAV take
// them. Thread rule: one caller at a time; any number of readers in parallel. Decoding is bit-exact and
// independent of `thread_count`.
//
//   ZT_TRY_ASSIGN(auto reader, VideoReader::open(path));
//   for (;;) {
//     ZT_TRY_ASSIGN(auto frame, reader.next());
//     if (!frame) break;
//     use(*frame);
//   }
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "image/image.hpp"
#include "media/video_info.hpp"

namespace zt::media {

class FrameTables;

struct VideoReaderOptions {
  int thread_count = 1;  ///< decoder threads; clips in parallel with 1 each are faster at training sizes
  bool apply_rotation = true;
  int64_t max_pixels = int64_t{1} << 26;  ///< larger pictures are refused
  /// Files whose header names larger pictures open: info() says how large, and no picture is given out.
  bool opens_too_large = false;
  std::shared_ptr<FrameTables> tables = {};  ///< those of all readers of these files; null: none
};

/// What happened so far while reading.
struct ReadReport {
  int64_t frames = 0;              ///< pictures given out or passed over
  int64_t packets = 0;             ///< of the video that were read from the file
  int64_t corrupt_frames = 0;      ///< packets that did not decode, and pictures decoded with damage
  bool is_truncated = false;       ///< the file ended early
  std::vector<std::string> notes;  ///< FFmpeg's complaints, at most 16 lines
};

class VideoReader {
 public:
  /// Errors: as probe().
  static Result<VideoReader> open(const std::filesystem::path& path, const VideoReaderOptions& options = {});
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;
  ~VideoReader();

  /// What the header says (frames not counted).
  const VideoInfo& info() const;

  /// The next picture, or nothing at the end. A damaged packet is counted in report() and passed over; a file
  /// that ends early ends the sequence with report().is_truncated set. Errors: Corrupt if the file ends
  /// without any picture; Unsupported if pictures change their size midway or are above the limit;
  /// Unavailable if the file could not be read (a disk that errs); Exhausted without memory.
  Result<std::optional<image::Image>> next();
  /// Time of the last picture given out, seconds from the first picture of the file.
  double last_time_s() const;

  /// The pictures with these numbers (0 = first in order of display), in the order asked for; repeats are
  /// allowed. Seeks to keyframes where that saves decoding, and gives exactly what next() would have given at
  /// those places. Afterwards next() starts again from the first picture. Errors: InvalidArgument if a number
  /// is negative or beyond the last picture (the message says how many there are); Corrupt if a wanted
  /// picture does not decode; as next(). Cost: the frames between the nearest keyframe, or the place where
  /// the last call ended if that is nearer, and each run of wanted numbers; the first call also reads all
  /// packets of the file, unless options.tables knows it; memory for the result and the decoder's own
  /// pictures.
  Result<std::vector<image::Image>> frames(std::span<const int64_t> numbers);

  const ReadReport& report() const;

 private:
  struct State;
  explicit VideoReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Of a video that was read to its end. Errors: Corrupt if that came early, or a frame did not decode or was
/// damaged: damaged ones are passed over, so that later ones have wrong numbers.
Status require_whole(const std::filesystem::path& path, const ReadReport& report);
/// The same of what probe() counted. Requires: info.is_counted.
Status require_whole(const std::filesystem::path& path, const VideoInfo& info);

/// One picture of a file.
Result<image::Image> read_frame(const std::filesystem::path& path, int64_t number,
                                const VideoReaderOptions& options = {});

}  // namespace zt::media
