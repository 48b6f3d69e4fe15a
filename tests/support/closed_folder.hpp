// SPDX-License-Identifier: Apache-2.0
// A folder that this thread cannot list, though root runs the test.
#pragma once

#include <sys/fsuid.h>
#include <sys/types.h>

#include <filesystem>
#include <system_error>
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
    std::error_code error;
    const std::filesystem::directory_iterator listing(path_, error);
    return static_cast<bool>(error);
  }

 private:
  std::filesystem::path path_;
  uid_t own_ = 0;
};

}  // namespace zt::test
