// SPDX-License-Identifier: Apache-2.0
// One of a clip's files, video or pose video or mask, while pictures are taken from it; and whose fault it is
// where that fails.
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
  /// decode every picture once. Errors: those of FrameSource, as blamed(); Corrupt instead of
  /// InvalidArgument.
  Result<std::vector<image::Image>> frames(std::span<const int64_t> numbers);

 private:
  std::filesystem::path path_;
  std::shared_ptr<media::FrameTables> tables_;  ///< shared with the readers of other threads
  std::optional<FrameSource> source_;
};

/// Why a clip's file could not be read. NotFound and Permission are the file's own while something is left in
/// the folder around it: somebody removed or closed it. Where that folder is gone, closed or empty they
/// become Unavailable: a disk that is not there any more would take one clip after the other along.
Error blamed(Error error, const std::filesystem::path& file);
template <class T>
Result<T> blamed(Result<T> read, const std::filesystem::path& file) {
  if (!read) return fail(blamed(std::move(read).error(), file));
  return read;
}

/// Whether a clip could not be read or encoded because of its own files. What would fail with another clip
/// too is not: memory, disk or descriptors that ran out, a disk that errs or is gone (Unavailable), a wait
/// that was too long, a stop, our own bugs.
bool is_fault_of_clip(const Error& error);

}  // namespace zt::data
