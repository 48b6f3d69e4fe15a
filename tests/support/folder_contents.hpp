// SPDX-License-Identifier: Apache-2.0
// What lies in a folder, to compare two of them.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/files/files.hpp"

namespace zt::test {

/// Path below the folder -> bytes, of every regular file.
inline std::map<std::string, std::string> contents_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      contents[entry.path().lexically_relative(folder).string()] = *files::read(entry.path());
  return contents;
}

}  // namespace zt::test
