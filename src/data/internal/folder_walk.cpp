// SPDX-License-Identifier: Apache-2.0
#include "data/internal/folder_walk.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/files/files.hpp"

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;

class Walker {
 public:
  FolderWalk run(const fs::path& folder) {
    waiting_.push_back(folder);
    while (!waiting_.empty() || !links_.empty()) {
      auto& next = waiting_.empty() ? links_ : waiting_;
      const fs::path path = std::move(next.front());
      next.pop_front();
      if (is_new(path)) list(path);
    }
    std::sort(walk_.entries.begin(), walk_.entries.end());
    return std::move(walk_);
  }

 private:
  bool is_new(const fs::path& folder) {
    struct stat facts {};
    if (::stat(folder.c_str(), &facts) != 0) return true;  // listing it says what is wrong
    return seen_.emplace(facts.st_dev, facts.st_ino).second;
  }

  void list(const fs::path& folder) {
    std::error_code error;
    fs::directory_iterator it(folder, error);
    std::vector<fs::directory_entry> entries;
    for (; !error && it != fs::directory_iterator(); it.increment(error))
      if (!it->path().filename().string().starts_with(".")) entries.push_back(*it);
    // By name, so that of two links to a folder the same one is followed on every machine.
    std::sort(entries.begin(), entries.end());
    for (const fs::directory_entry& entry : entries) {
      walk_.entries.push_back(entry);
      std::error_code ignored;  // a link that leads nowhere is no folder
      if (!entry.is_directory(ignored)) continue;
      (entry.is_symlink(ignored) ? links_ : waiting_).push_back(entry.path());
    }
    if (error) walk_.unread.push_back({folder, files::errno_error("list", folder, error.value())});
  }

  std::deque<fs::path> waiting_, links_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  FolderWalk walk_;
};

}  // namespace

FolderWalk walk(const fs::path& folder) { return Walker().run(folder); }

}  // namespace zt::data::internal
