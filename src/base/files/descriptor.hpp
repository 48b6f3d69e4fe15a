// SPDX-License-Identifier: Apache-2.0
// A file descriptor that is closed at the end of its scope.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <utility>

namespace zt::files {

class Descriptor {
 public:
  /// open(2) with O_CLOEXEC, so that no child process inherits the file or a lock on it. Empty on failure:
  /// errno says why.
  static Descriptor open(const std::filesystem::path& path, int flags, mode_t mode = 0);
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }  ///< -1 if empty

 private:
  explicit Descriptor(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace zt::files
