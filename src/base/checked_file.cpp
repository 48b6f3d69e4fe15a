// SPDX-License-Identifier: Apache-2.0
// See checked_file.hpp.
#include "base/checked_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.hpp"
#include "base/internal/write_out.hpp"

namespace zt::files {
namespace {

/// Summed, written and read back at a time, while it is in the processor's cache; and written between two
/// looks at the file.
constexpr size_t kPartBytes = size_t{256} << 10, kLookBytes = size_t{1} << 20;

}  // namespace

CheckedFile::CheckedFile(std::filesystem::path path, Descriptor file)
    : path_(std::move(path)), file_(std::move(file)), buffer_(std::make_unique<std::byte[]>(kPartBytes)) {}

Result<CheckedFile> CheckedFile::create(const std::filesystem::path& path) {
  Descriptor file = Descriptor::open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666);
  if (!file) return fail(errno_error("create", path, errno));
  return CheckedFile(path, std::move(file));
}

Status CheckedFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kPartBytes));
    given_.update(part);
    ZT_TRY(internal::write_out(file_.get(), part, path_));
    written_ += part.size();
    if (written_ - read_ >= kLookBytes) ZT_TRY(read_back());
    bytes = bytes.subspan(part.size());
  }
  return {};
}

Status CheckedFile::read_back() {
  while (read_ < written_) {
    const size_t wanted = std::min<uint64_t>(kPartBytes, written_ - read_);
    const ssize_t n = ::pread(file_.get(), buffer_.get(), wanted, static_cast<off_t>(read_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_error("read back", path_, errno));
    if (n == 0)
      return fail(ErrorCode::Corrupt, fmt::format("{} ends after {} of {} bytes that were written",
                                                  path_.string(), read_, written_));
    found_.update(std::span(buffer_.get(), static_cast<size_t>(n)));
    read_ += static_cast<uint64_t>(n);
  }
  return {};
}

Result<std::string> CheckedFile::finish() {
  ZT_TRY(read_back());
  std::string sum = given_.hex();
  if (found_.hex() != sum)
    return fail(ErrorCode::Corrupt, fmt::format("{} does not read back as it was written: is the disk or its "
                                                "controller failing?",
                                                path_.string()));
  if (::fsync(file_.get()) != 0) return fail(errno_error("sync", path_, errno));
  return sum;
}

}  // namespace zt::files
