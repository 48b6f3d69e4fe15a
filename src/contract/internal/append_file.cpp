// SPDX-License-Identifier: Apache-2.0
#include "contract/internal/append_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <tuple>
#include <utility>

#include "base/files/files.hpp"

namespace zt::contract::internal {
namespace {

namespace fs = std::filesystem;

/// An hour of a step a second, and little beside what training needs.
constexpr size_t kMostKeptBytes = size_t{4} << 20;

bool is_plain_name(std::string_view s) {
  return !s.empty() && s.size() <= 80 && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

}  // namespace

std::string segment_name(int64_t generation, std::string_view writer, std::string_view extension) {
  return fmt::format("{:06}.{}.{}", generation, writer, extension);
}

std::vector<SegmentFile> list_segments(const fs::path& folder, std::string_view extension) {
  std::vector<SegmentFile> out;
  std::error_code ec;
  for (fs::directory_iterator item(folder, ec), last; !ec && item != last; item.increment(ec)) {
    const std::string name = item->path().filename().string();
    SegmentFile file{item->path(), 0, {}};
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), file.generation);
    if (error != std::errc() || file.generation < 0) continue;
    std::string_view rest = std::string_view(name).substr(static_cast<size_t>(end - name.data()));
    const std::string tail = fmt::format(".{}", extension);
    if (!rest.starts_with('.') || !rest.ends_with(tail) || rest.size() <= 1 + tail.size()) continue;
    file.writer = rest.substr(1, rest.size() - 1 - tail.size());
    if (is_plain_name(file.writer)) out.push_back(std::move(file));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.generation, a.writer) < std::tie(b.generation, b.writer);
  });
  return out;
}

AppendFile::AppendFile(int fd, fs::path path) : fd_(fd), path_(std::move(path)) {}

Result<AppendFile> AppendFile::create(const fs::path& folder, int64_t generation, std::string_view writer,
                                      std::string_view extension) {
  if (!is_plain_name(writer) || generation < 0) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}' of generation {} can't be a writer's name", writer, generation));
  }
  ZT_TRY(files::make_folders(folder));
  const fs::path path = folder / segment_name(generation, writer, extension);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return fail(files::errno_error("create", path, errno));
  return AppendFile(fd, path);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      kept_(std::move(other.kept_)),
      whole_bytes_(other.whole_bytes_),
      is_torn_(other.is_torn_) {}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status AppendFile::make_room() { return kept_.size() < kMostKeptBytes ? Status() : write_kept(); }

Status AppendFile::append(std::string_view record) {
  kept_ += record;
  return write_kept();
}

Status AppendFile::write_kept() {
  if (is_torn_ && ::ftruncate(fd_, whole_bytes_) != 0) return fail(files::errno_error("mend", path_, errno));
  is_torn_ = false;
  std::string_view rest = kept_;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      is_torn_ = rest.size() < kept_.size();
      return fail(files::errno_error("append to", path_, errno));
    }
    rest.remove_prefix(static_cast<size_t>(n));
  }
  whole_bytes_ += static_cast<off_t>(kept_.size());
  kept_.clear();
  return {};
}

Status AppendFile::sync() {
  if (::fdatasync(fd_) != 0) return fail(files::errno_error("sync", path_, errno));
  return {};
}

}  // namespace zt::contract::internal
