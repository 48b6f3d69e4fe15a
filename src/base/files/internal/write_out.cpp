// SPDX-License-Identifier: Apache-2.0
// See write_out.hpp.
#include "base/files/internal/write_out.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files/files.hpp"

namespace zt::files::internal {
namespace {

/// What the disk is given at a time.
constexpr size_t kPartBytes = size_t{4} << 20;

Status write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_error("write", path, errno));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

// sync_file_range() is a hint: where the file system has no such thing, fsync does it all.
Status write_out(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const auto begin = static_cast<size_t>(::lseek(fd, 0, SEEK_CUR));
    const auto part = bytes.first(std::min(bytes.size(), kPartBytes - begin % kPartBytes));
    ZT_TRY(write_all(fd, part, path));
    if ((begin + part.size()) % kPartBytes == 0)
      ::sync_file_range(fd, 0, /*to the end*/ 0, SYNC_FILE_RANGE_WRITE);
    bytes = bytes.subspan(part.size());
  }
  return {};
}

}  // namespace zt::files::internal
