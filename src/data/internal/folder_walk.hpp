// SPDX-License-Identifier: Apache-2.0
// Everything below a folder, links to folders followed.
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.hpp"

namespace zt::data::internal {

struct UnreadFolder {
  std::filesystem::path path;
  Error error;
};

struct FolderWalk {
  std::vector<std::filesystem::directory_entry> entries;  ///< sorted by path
  std::vector<UnreadFolder> unread;                       ///< what they hold is not known
};

/// Hidden files and folders are left out. A folder is gone into once: those that are there before those that
/// links lead to, so that links in a circle come to an end and nothing is found under two names.
FolderWalk walk(const std::filesystem::path& folder);

}  // namespace zt::data::internal
