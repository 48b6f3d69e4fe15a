// SPDX-License-Identifier: Apache-2.0
#include "data/sample/clip_file.hpp"

#include <utility>

namespace zt::data {

Result<std::vector<image::Image>> ClipFile::frames(std::span<const int64_t> numbers) {
  auto pictures = [&]() -> Result<std::vector<image::Image>> {
    if (!source_) {
      ZT_TRY_ASSIGN(source_, FrameSource::open(path_, tables_));
    }
    return source_->frames(numbers);
  }();
  if (pictures) return pictures;
  Error error = std::move(pictures).error();
  // The index names the frames: a file that lacks one is no longer what was ingested.
  if (error.code == ErrorCode::InvalidArgument) error.code = ErrorCode::Corrupt;
  return fail(std::move(error).with("while reading " + path_.string()));
}

}  // namespace zt::data
