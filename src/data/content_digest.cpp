// SPDX-License-Identifier: Apache-2.0
// See content_digest.hpp.
#include "data/content_digest.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <string_view>
#include <vector>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data {

namespace fs = std::filesystem;

Result<std::string> content_digest(const fs::path& path) {
  std::vector<fs::path> files{path};
  std::error_code error;
  if (fs::is_directory(path, error)) {
    ZT_TRY_ASSIGN(files, list_frames(path));
  }
  hash::Xxh128 hash;
  std::vector<char> buffer(size_t{1} << 16);
  for (const fs::path& file : files) {
    if (fs::exists(file, error) && !fs::is_regular_file(file, error))  // a pipe would wait for its writer
      return fail(ErrorCode::InvalidArgument, file.string() + " is no regular file");
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(files::errno_error("open", file, errno));
    while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0)
      hash.update(std::string_view(buffer.data(), static_cast<size_t>(in.gcount())));
    if (in.bad()) return fail(files::errno_error("read", file, errno));
  }
  return hash.hex();
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
