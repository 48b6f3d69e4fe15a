// SPDX-License-Identifier: Apache-2.0
// See content_digest.hpp.
#include "data/content_digest.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data {

namespace fs = std::filesystem;

Result<std::string> content_digest(const fs::path& path) {
  std::vector<fs::path> parts{path};
  std::error_code error;
  if (fs::is_directory(path, error)) {
    ZT_TRY_ASSIGN(parts, list_frames(path));
  }
  hash::Xxh128 sum;
  for (const fs::path& part : parts) ZT_TRY(files::add_to(sum, part));
  return sum.hex();
}

Status ContentCheck::check(const ClipIndex& index, size_t clip) {
  {
    const std::lock_guard lock(mutex_);
    if (!index.has_digests || checked_.contains(clip)) return {};
  }
  const ClipRecord& record = index.clips[clip];
  const fs::path video = index.path(record.video);
  ZT_TRY_ASSIGN(const std::string found, content_digest(video));
  if (found != record.content)
    return fail(
        ErrorCode::Corrupt,
        fmt::format("{} is not what it was when the index was made: ingest it again", video.string()));
  const std::lock_guard lock(mutex_);
  checked_.insert(clip);
  return {};
}

}  // namespace zt::data
