// SPDX-License-Identifier: Apache-2.0
// The pictures of a clip by number, from a video file or from a folder of numbered pictures (Champ's layout).
// Threads: one caller at a time; any number of sources in parallel.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "image/image.hpp"
#include "media/video_reader.hpp"

namespace zt::data {

/// The pictures (PNG, JPEG, WebP) of a folder in the order of the last number in their names, then of the
/// names. Errors: NotFound if there is no such folder or no picture in it; Permission.
Result<std::vector<std::filesystem::path>> list_frames(const std::filesystem::path& folder);

/// Whether the name's ending is one of a video file's.
bool is_video_name(const std::filesystem::path& path);

class FrameSource {
 public:
  /// `tables`: those of all readers of videos, or null. Errors: those of list_frames() and
  /// media::VideoReader::open().
  static Result<FrameSource> open(const std::filesystem::path& path,
                                  std::shared_ptr<media::FrameTables> tables = {});
  /// The pictures with these numbers (0 = first), in the order asked for; repeats are allowed.
  /// Errors: InvalidArgument if there is no such number; those of the files.
  Result<std::vector<image::Image>> frames(std::span<const int64_t> numbers);

 private:
  using Files = std::vector<std::filesystem::path>;
  explicit FrameSource(std::variant<media::VideoReader, Files> source) : source_(std::move(source)) {}
  std::variant<media::VideoReader, Files> source_;
};

}  // namespace zt::data
