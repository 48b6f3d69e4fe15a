// SPDX-License-Identifier: Apache-2.0
// See content_digest.hpp.
#include "data/content_digest.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <span>
#include <vector>

#include "base/files/descriptor.hpp"
#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kSamples = 16;
constexpr uint64_t kSampleBytes = 64 << 10;

// A file, or all pictures of a folder in order.
Result<std::vector<fs::path>> files_of(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return list_frames(path);
  return std::vector{path};
}

Result<uint64_t> add_size(hash::Xxh128& sum, const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return fail(files::errno_error("look at", path, error.value()));
  sum.update(fmt::format("{}\n", size));
  return size;
}

// Bytes at `num_samples` places from the file's start to its end; all of a file that has no more.
Status add_samples(hash::Xxh128& sum, const fs::path& path, uint64_t size, uint64_t num_samples) {
  const auto file = files::Descriptor::open(path, O_RDONLY | O_NONBLOCK);
  if (!file) return fail(files::errno_error("open", path, errno));
  std::vector<std::byte> block(kSampleBytes);
  const uint64_t last = size - std::min(size, kSampleBytes);
  const uint64_t steps = std::min(num_samples, (size + kSampleBytes - 1) / kSampleBytes);
  for (uint64_t i = 0; i < steps; ++i) {
    const uint64_t start = steps == 1 ? 0 : last * i / (steps - 1);
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
  const uint64_t samples_per_part = parts.size() == 1 ? kSamples : 1;
  const size_t stride = (parts.size() + kSamples - 1) / kSamples;
  hash::Xxh128 sum;
  for (size_t i = 0; i < parts.size(); ++i) {
    ZT_TRY_ASSIGN(const uint64_t size, add_size(sum, parts[i]));
    if (i % stride == 0) ZT_TRY(add_samples(sum, parts[i], size, samples_per_part));
  }
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
