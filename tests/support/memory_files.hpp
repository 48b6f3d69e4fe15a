// SPDX-License-Identifier: Apache-2.0
// Memory files (memfd_create) that processes share: without a name in any folder, each is known by its inode.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace zt::test {

/// Inodes of those of that name which a process ("self", or a number) has mapped or open; of one that is gone
/// or another user's, none.
inline std::set<std::string> memory_files(const std::string& process, const std::string& name) {
  const std::filesystem::path folder = "/proc/" + process;
  std::set<std::string> inodes;
  std::ifstream maps(folder / "maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:" + name) == std::string::npos) continue;
    std::istringstream words(line);
    std::string range, access, offset, device, inode;
    words >> range >> access >> offset >> device >> inode;
    inodes.insert(inode);
  }
  std::error_code ignored;
  for (const auto& open : std::filesystem::directory_iterator(folder / "fd", ignored)) {
    const std::string target = std::filesystem::read_symlink(open.path(), ignored).string();
    struct stat found = {};
    if (target.starts_with("/memfd:" + name) && ::stat(open.path().c_str(), &found) == 0)
      inodes.insert(std::to_string(found.st_ino));
  }
  return inodes;
}

/// Numbers of the processes that have any of these.
inline std::vector<std::string> holders_of(const std::set<std::string>& inodes, const std::string& name) {
  std::vector<std::string> holders;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string process = entry.path().filename().string();
    if (process.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::set<std::string> held = memory_files(process, name);
    if (std::ranges::any_of(held, [&](const std::string& one) { return inodes.contains(one); }))
      holders.push_back(process);
  }
  return holders;
}

}  // namespace zt::test
