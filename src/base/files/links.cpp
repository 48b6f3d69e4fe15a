// SPDX-License-Identifier: Apache-2.0
#include "base/files/links.hpp"

#include <system_error>

namespace zt::files {

namespace fs = std::filesystem;

fs::path through_links(const fs::path& path) {
  fs::path end = path;
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code no_link;
    const fs::path next = fs::read_symlink(end, no_link);
    if (no_link) return end;
    end = end.parent_path() / next;
  }
  return path;
}

}  // namespace zt::files
