// SPDX-License-Identifier: Apache-2.0
// See checked_file.hpp.
#include "base/checked_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.hpp"
#include "base/internal/write_out.hpp"

namespace zt::files {
namespace {

/// Written between two looks at the file; and what one look takes in at a time.
constexpr size_t kPartBytes = size_t{1} << 20, kBufferBytes = size_t{256} << 10;

}  // namespace

CheckedFile::CheckedFile(std::filesystem::path path, Temporary temporary)
    : path_(std::move(path)),
      temporary_(std::move(temporary)),
      buffer_(std::make_unique<std::byte[]>(kBufferBytes)) {}

Result<CheckedFile> CheckedFile::create(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(Temporary temporary, Temporary::file(path));
  return CheckedFile(path, std::move(temporary));
}

Status CheckedFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kPartBytes));
    ZT_TRY(internal::write_out(temporary_.descriptor(), part, temporary_.path()));
    written_ += part.size();
    if (written_ - read_ >= kPartBytes) ZT_TRY(read_back());
    bytes = bytes.subspan(part.size());
  }
  return {};
}

Status CheckedFile::read_back() {
  while (read_ < written_) {
    const size_t wanted = std::min<uint64_t>(kBufferBytes, written_ - read_);
    const ssize_t n = ::pread(temporary_.descriptor(), buffer_.get(), wanted, static_cast<off_t>(read_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_error("read back", temporary_.path(), errno));
    if (n == 0)
      return fail(ErrorCode::Corrupt, fmt::format("{} ends after {} of {} bytes that were written",
                                                  temporary_.path().string(), read_, written_));
    sum_.update(std::span(buffer_.get(), static_cast<size_t>(n)));
    read_ += static_cast<uint64_t>(n);
  }
  return {};
}

Status CheckedFile::commit(std::string_view xxh128) {
  ZT_TRY(read_back());
  if (sum_.hex() != xxh128)
    return fail(ErrorCode::Corrupt, fmt::format("{} does not read back as it was written: is the disk or its "
                                                "controller failing?",
                                                path_.string()));
  if (::fsync(temporary_.descriptor()) != 0) return fail(errno_error("sync", temporary_.path(), errno));
  return rename_durable(temporary_.path(), path_);
}

}  // namespace zt::files
