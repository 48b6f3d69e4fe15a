// SPDX-License-Identifier: Apache-2.0
#include "cli/job_folder.hpp"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "zoetrope-";
constexpr const char* kLock = "lock";

// A real folder, and this user's.
bool is_ours(const fs::path& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == ::geteuid();
}

void remove_abandoned(const fs::path& temporary) {
  std::error_code ec;
  for (fs::directory_iterator item(temporary, ec), end; !ec && item != end; item.increment(ec)) {
    const fs::path& folder = item->path();
    std::error_code ignored;
    if (!folder.filename().string().starts_with(kPrefix) || !is_ours(folder)) continue;
    if (!fs::is_regular_file(folder / kLock, ignored)) continue;  // a stranger, or one that was kept
    if (const auto lock = files::Lock::acquire(folder / kLock)) fs::remove_all(folder, ignored);
  }
}

}  // namespace

Result<JobFolder> JobFolder::make(std::string_view verb) {
  std::error_code ec;
  const fs::path temporary = fs::temp_directory_path(ec);
  remove_abandoned(temporary);
  // Under a name that others pass over until the lock is held.
  std::string made = (temporary / fmt::format(".{}{}-XXXXXX", kPrefix, verb)).string();
  if (!::mkdtemp(made.data())) return fail(files::errno_error("make a folder for the job like", made, errno));
  ZT_TRY_ASSIGN(auto lock, files::Lock::acquire(fs::path(made) / kLock));
  const fs::path path = temporary / fs::path(made).filename().string().substr(1);
  if (::rename(made.c_str(), path.c_str()) != 0) return fail(files::errno_error("rename to", path, errno));
  return JobFolder(path, std::move(lock));
}

JobFolder::~JobFolder() {
  std::error_code ignored;
  if (lock_) fs::remove_all(path_, ignored);
}

void JobFolder::keep() {
  std::error_code ignored;
  fs::remove(path_ / kLock, ignored);
  lock_.reset();
}

}  // namespace zt::cli
