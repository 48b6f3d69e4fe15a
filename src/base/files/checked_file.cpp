// SPDX-License-Identifier: Apache-2.0
// See checked_file.hpp.
#include "base/files/checked_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <system_error>
#include <utility>

#include "base/files/files.hpp"
#include "base/files/internal/write_out.hpp"

namespace zt::files {
namespace {

/// Summed, written and read back at a time, while it is in the processor's cache; and written between two
/// looks at the file.
constexpr size_t kPartBytes = size_t{256} << 10, kLookBytes = size_t{2} << 20;

}  // namespace

/// What the file has, from its front up to where it was read.
class CheckedFile::ReadBack {
 public:
  ReadBack(int file, std::filesystem::path path)
      : file_(file), path_(std::move(path)), buffer_(std::make_unique<std::byte[]>(kPartBytes)) {}

  /// Reads on up to `end` beside the caller, unless it is still reading. Errors: of what was read so far.
  Status follow(uint64_t end) {
    if (reading_.valid()) {
      if (reading_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return {};
      ZT_TRY(reading_.get());
    }
    try {
      reading_ = std::async(std::launch::async, [this, end] { return read_to(end); });
    } catch (const std::system_error&) {  // no thread to be had: sum() reads it
    }
    return {};
  }
  /// The sum of all up to `end`.
  Result<std::string> sum(uint64_t end) {
    if (reading_.valid()) ZT_TRY(reading_.get());
    ZT_TRY(read_to(end));
    return found_.hex();
  }

 private:
  Status read_to(uint64_t end) {
    while (read_ < end) {
      const size_t wanted = std::min<uint64_t>(kPartBytes, end - read_);
      const ssize_t n = ::pread(file_, buffer_.get(), wanted, static_cast<off_t>(read_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(errno_error("read back", path_, errno));
      if (n == 0)
        return fail(ErrorCode::Corrupt, fmt::format("{} ends after {} of {} bytes that were written",
                                                    path_.string(), read_, end));
      found_.update(std::span(buffer_.get(), static_cast<size_t>(n)));
      read_ += static_cast<uint64_t>(n);
    }
    return {};
  }

  const int file_;
  const std::filesystem::path path_;
  const std::unique_ptr<std::byte[]> buffer_;
  uint64_t read_ = 0;  ///< bytes
  hash::Xxh128 found_;
  std::future<Status> reading_;  ///< its end is awaited before the rest of this ends
};

CheckedFile::CheckedFile(std::filesystem::path path, Descriptor file)
    : path_(std::move(path)),
      file_(std::move(file)),
      read_back_(std::make_unique<ReadBack>(file_.get(), path_)) {}
CheckedFile::CheckedFile(CheckedFile&&) noexcept = default;
CheckedFile::~CheckedFile() = default;

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
    if (written_ / kLookBytes != (written_ + part.size()) / kLookBytes)
      ZT_TRY(read_back_->follow(written_ + part.size()));
    written_ += part.size();
    bytes = bytes.subspan(part.size());
  }
  return {};
}

Result<std::string> CheckedFile::finish() {
  ZT_TRY_ASSIGN(const std::string found, read_back_->sum(written_));
  std::string sum = given_.hex();
  if (found != sum)
    return fail(ErrorCode::Corrupt, fmt::format("{} does not read back as it was written: is the disk or its "
                                                "controller failing?",
                                                path_.string()));
  if (::fsync(file_.get()) != 0) return fail(errno_error("sync", path_, errno));
  return sum;
}

}  // namespace zt::files
