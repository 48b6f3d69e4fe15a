// SPDX-License-Identifier: Apache-2.0
#include "base/temporary.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <string>

#include "base/files.hpp"

namespace zt::files {

fs::path temporary_name(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  return path.string() + fmt::format(".tmp.{}.{}", ::getpid(), counter++);
}

Status remove_leftovers(const fs::path& folder, std::string_view name) {
  constexpr std::string_view kMark = ".tmp.";
  std::error_code ec;
  fs::directory_iterator items(folder.empty() ? fs::path(".") : folder, ec);
  if (ec == std::errc::no_such_file_or_directory) return {};
  for (; !ec && items != fs::directory_iterator(); items.increment(ec)) {
    const std::string found = items->path().filename().string();
    const size_t mark = found.rfind(kMark);
    if (mark == std::string::npos || (!name.empty() && found.substr(0, mark) != name)) continue;
    const char* const first = found.data() + mark + kMark.size();
    pid_t pid = 0;
    const auto [end, problem] = std::from_chars(first, found.data() + found.size(), pid);
    const bool is_ours = problem == std::errc() && pid > 0 && *end == '.';
    if (is_ours && ::kill(pid, 0) != 0 && errno == ESRCH) fs::remove_all(items->path(), ec);
  }
  if (ec) return fail(errno_error("tidy", folder, ec.value()));
  return {};
}

}  // namespace zt::files
