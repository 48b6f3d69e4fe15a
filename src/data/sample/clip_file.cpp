// SPDX-License-Identifier: Apache-2.0
#include "data/sample/clip_file.hpp"

#include <system_error>
#include <utility>

namespace zt::data {
namespace {

namespace fs = std::filesystem;

bool lists_something(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator entries(folder.empty() ? fs::path(".") : folder, error);
  return !error && entries != fs::directory_iterator();
}

}  // namespace

Result<std::vector<image::Image>> ClipFile::frames(std::span<const int64_t> numbers) {
  auto pictures = [&]() -> Result<std::vector<image::Image>> {
    if (!source_) {
      ZT_TRY_ASSIGN(source_, FrameSource::open(path_, tables_));
    }
    return source_->frames(numbers);
  }();
  if (pictures) return pictures;
  Error error = blamed(std::move(pictures).error(), path_);
  // The index names the frames: a file that lacks one is no longer what was ingested.
  if (error.code == ErrorCode::InvalidArgument) error.code = ErrorCode::Corrupt;
  return fail(std::move(error).with("while reading " + path_.string()));
}

Error blamed(Error error, const fs::path& file) {
  const bool is_refused = error.code == ErrorCode::NotFound || error.code == ErrorCode::Permission;
  if (!is_refused || lists_something(file.parent_path())) return error;
  error.code = ErrorCode::Unavailable;
  error.message +=
      ", and nothing else can be seen in its folder: is the disk there? Mount it, or, if the clips were "
      "removed, ingest again without them";
  return error;
}

bool is_fault_of_clip(const Error& error) {
  switch (error.code) {
    case ErrorCode::Exhausted:
    case ErrorCode::Unavailable:
    case ErrorCode::Timeout:
    case ErrorCode::Internal:
    case ErrorCode::Cancelled:
      return false;
    default:
      return true;
  }
}

}  // namespace zt::data
