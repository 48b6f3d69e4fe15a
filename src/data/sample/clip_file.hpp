// SPDX-License-Identifier: Apache-2.0
// One of a clip's files, video or pose video or mask, while pictures are taken from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "data/sample/frame_source.hpp"
#include "image/image.hpp"

namespace zt::data {

/// Threads: one caller at a time.
class ClipFile {
 public:
  /// Opens nothing yet. `tables` may be null.
  ClipFile(std::filesystem::path path, std::shared_ptr<media::FrameTables> tables)
      : path_(std::move(path)), tables_(std::move(tables)) {}

  /// The pictures with these numbers in the file, which stays open: calls that go on where the last one ended
  /// decode every picture once. Errors: those of FrameSource; Corrupt instead of
  /// InvalidArgument.
  Result<std::vector<image::Image>> frames(std::span<const int64_t> numbers);

 private:
  std::filesystem::path path_;
  std::shared_ptr<media::FrameTables> tables_;  ///< shared with the readers of other threads
  std::optional<FrameSource> source_;
};

}  // namespace zt::data
