// SPDX-License-Identifier: Apache-2.0
// A folder that this thread cannot list, or a file that it cannot read, though root runs the test.
#pragma once

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/types.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "support/temp_folder.hpp"

namespace zt::test {

/// While it lives, this thread opens files as a user who owns none.
class ClosedFolder {
 public:
  /// `path` lies somewhere in `inside`, which everybody may list from now on.
  ClosedFolder(const TempFolder& inside, std::filesystem::path path) : path_(std::move(path)) {
    constexpr uid_t kNobody = 65534;
    constexpr auto kOpenToAll = static_cast<std::filesystem::perms>(0755);
    std::filesystem::permissions(inside.path(), kOpenToAll);
    std::filesystem::permissions(path_, std::filesystem::perms::none);
    own_ = static_cast<uid_t>(::setfsuid(kNobody));
  }
  ~ClosedFolder() {
    ::setfsuid(own_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  }
  ClosedFolder(const ClosedFolder&) = delete;
  ClosedFolder& operator=(const ClosedFolder&) = delete;

  /// False where nothing can be closed to this process.
  bool is_closed() const {
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) ::close(fd);
    return fd < 0;
  }

 private:
  std::filesystem::path path_;
  uid_t own_ = 0;
};

}  // namespace zt::test
