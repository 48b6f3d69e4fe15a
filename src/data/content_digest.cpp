// SPDX-License-Identifier: Apache-2.0
// See content_digest.hpp.
#include "data/content_digest.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <span>
#include <vector>

#include "base/files/descriptor.hpp"
#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "data/internal/footage_stamp.hpp"
#include "data/sample/clip_file.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data {

namespace fs = std::filesystem;

namespace {

// Where a file is read, evenly from its start to its end; in its middle if that is one place. A file that has
// no more than these bytes is read whole.
struct Sampling {
  uint64_t num_places = 0;
  uint64_t bytes_per_place = 0;
  uint64_t bytes() const { return num_places * bytes_per_place; }
};
constexpr Sampling kOfAVideo{16, 64 << 10};
constexpr Sampling kOfAPicture{1, 4 << 10};

// A file, or all pictures of a folder in order.
Result<std::vector<fs::path>> files_of(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return list_frames(path);
  return std::vector{path};
}

struct FileFacts {
  uint64_t size = 0;
  int64_t modified_ns = 0;  // since 1970
};

Result<FileFacts> facts_of(const fs::path& path) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return fail(files::errno_error("look at", path, errno));
  return FileFacts{static_cast<uint64_t>(facts.st_size),
                   int64_t{facts.st_mtim.tv_sec} * kNsPerSecond + facts.st_mtim.tv_nsec};
}

Status add_samples(hash::Xxh128& sum, const fs::path& path, uint64_t size, const Sampling& sampling) {
  const auto file = files::Descriptor::open(path, O_RDONLY | O_NONBLOCK);
  if (!file) return fail(files::errno_error("open", path, errno));
  const uint64_t length = sampling.bytes_per_place;
  std::vector<std::byte> block(length);
  const uint64_t last = size - std::min(size, length);
  const uint64_t places = std::min(sampling.num_places, (size + length - 1) / length);
  for (uint64_t i = 0; i < places; ++i) {
    const uint64_t start = places == 1 ? last / 2 : last * i / (places - 1);
    const ssize_t n = ::pread(file.get(), block.data(), block.size(), static_cast<off_t>(start));
    if (n < 0) return fail(files::errno_error("read", path, errno));
    sum.update(std::span(block).first(static_cast<size_t>(n)));
  }
  return {};
}

}  // namespace

Result<std::string> content_digest(const fs::path& path) {
  ZT_TRY_ASSIGN(const std::vector<fs::path> parts, files_of(path));
  hash::Xxh128 sum;
  for (const fs::path& part : parts) ZT_TRY(files::add_to(sum, part));
  return sum.hex();
}

Result<std::string> sampled_digest(const fs::path& path) {
  ZT_TRY_ASSIGN(const std::vector<fs::path> parts, files_of(path));
  std::error_code ignored;
  const Sampling& sampling = fs::is_directory(path, ignored) ? kOfAPicture : kOfAVideo;
  hash::Xxh128 bytes, times;
  bool is_whole = true;
  for (size_t i = 0; i < parts.size(); ++i) {
    ZT_TRY_ASSIGN(const FileFacts facts, facts_of(parts[i]));
    bytes.update(fmt::format("{}\n", facts.size));
    ZT_TRY(add_samples(bytes, parts[i], facts.size, sampling));
    if (facts.size <= sampling.bytes()) continue;
    is_whole = false;
    times.update(fmt::format("{} {}\n", i, facts.modified_ns));
  }
  return is_whole ? bytes.hex() : fmt::format("{}.{}", bytes.hex(), times.hex());
}

Status ContentCheck::check(const ClipIndex& index, size_t clip) {
  if (!index.has_digests) return {};
  const ClipRecord& record = index.clips[clip];
  const fs::path video = index.path(record.video);
  Footage& footage = footage_of(video.string());
  const std::lock_guard lock(footage.mutex);
  if (footage.digest == record.content) return {};
  if (const std::string stamp = internal::stamp_of(video); !footage.digest || stamp != footage.stamp) {
    ZT_TRY_ASSIGN(footage.digest, blamed(content_digest(video), video));
    footage.stamp = stamp;
  }
  if (footage.digest != record.content)
    return fail(
        ErrorCode::Corrupt,
        fmt::format("{} is not what it was when the index was made: ingest it again", video.string()));
  return {};
}

ContentCheck::Footage& ContentCheck::footage_of(const std::string& video) {
  const std::lock_guard lock(mutex_);
  return footage_[video];  // a map's entries stay where they are
}

}  // namespace zt::data
