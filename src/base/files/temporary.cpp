// SPDX-License-Identifier: Apache-2.0
#include "base/files/temporary.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>

#include "base/files/files.hpp"
#include "base/files/links.hpp"
#include "base/text/random_hex.hpp"

namespace zt::files {
namespace {

constexpr std::string_view kMark = ".zt-tmp.";
constexpr size_t kTokenDigits = 16;
constexpr const char* kLock = "lock";
/// A try fails only where another process removes what was just made, before it is held.
constexpr int kTries = 100;

fs::path new_name(const fs::path& target) {
  return target.string() + fmt::format("{}{}", kMark, random_hex(kTokenDigits));
}

// What a path under a temporary name is to become; empty for any other path.
std::string target_of(const fs::path& path) {
  const std::string file = path.filename().string();
  std::string_view name = file;
  if (name.size() <= kMark.size() + kTokenDigits) return {};
  const std::string_view token = name.substr(name.size() - kTokenDigits);
  name.remove_suffix(kTokenDigits);
  if (!name.ends_with(kMark) || token.find_first_not_of("0123456789abcdef") != token.npos) return {};
  return std::string(name.substr(0, name.size() - kMark.size()));
}

bool is_at(const Descriptor& file, const fs::path& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(file.get(), &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

// Makes and locks a file. None if another process took it for a leftover before the lock was there, or
// removed its folder: to be tried again under another name.
Result<std::optional<Descriptor>> make_held(const fs::path& path) {
  Descriptor file = Descriptor::open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  if (!file) return fail(errno_error("create", path, errno));
  // Any other error: a file system without locks.
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return std::nullopt;
  if (!is_at(file, path)) return std::nullopt;
  return std::optional(std::move(file));
}

// A folder's lock goes last: one without it that is not empty is taken for one that was kept.
void remove_held(const fs::path& name, bool is_folder) {
  if (!is_folder) {
    ::unlink(name.c_str());
    return;
  }
  std::error_code ec;
  fs::remove_all(name / target_of(name), ec);
  if (ec) return;  // somebody else makes files in it: the next who looks tries again
  ::unlink((name / kLock).c_str());
  ::rmdir(name.c_str());
}

// Nothing happens to what is held, can't be locked, or belongs to another user. While the lock is ours and
// the name still the file's, its writer is gone, or has not locked it yet and will see that it can't.
void remove_if_left(const fs::path& name) {
  struct stat facts {};
  if (::lstat(name.c_str(), &facts) != 0 || facts.st_uid != ::geteuid()) return;
  const bool is_folder = S_ISDIR(facts.st_mode);
  if (is_folder && ::rmdir(name.c_str()) == 0) return;  // the lock was not made yet: its writer tries again
  const fs::path lock = is_folder ? name / kLock : name;
  const Descriptor file = Descriptor::open(lock, O_RDWR | O_NOFOLLOW);
  if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && is_at(file, lock)) remove_held(name, is_folder);
}

// A name in /proc, or a link that leads to one, as /dev/stdout does.
bool leads_to_proc(fs::path path) {
  for (int i = 0; i < kMostLinks; ++i) {
    const fs::path folder = path.parent_path();
    struct statfs system {};
    if (::statfs(folder.empty() ? "." : folder.c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC)
      return true;
    std::error_code no_link;
    const fs::path next = fs::read_symlink(path, no_link);
    if (no_link) return false;
    path = folder / next;
  }
  return false;
}

Status require_place_of_a_file(const fs::path& target) {
  if (leads_to_proc(target))
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{} stands for a file that is open: a new file would take its place, name the "
                            "file itself",
                            target.string()));
  std::error_code not_there;
  if (fs::is_other(target, not_there))
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{} is a pipe or a device: a file would take its place, name another", target.string()));
  return {};
}

Error removed_each_time(const fs::path& target) {
  return Error{ErrorCode::Unavailable,
               fmt::format("cannot create {}: another process removes it each time", target.string())};
}

}  // namespace

Result<Temporary> Temporary::file(const fs::path& target) {
  ZT_TRY(require_place_of_a_file(target));
  for (int i = 0; i < kTries; ++i) {
    const fs::path name = new_name(target);
    ZT_TRY_ASSIGN(std::optional<Descriptor> held, make_held(name));
    if (held) return Temporary(name, name, *std::move(held));
  }
  return fail(removed_each_time(target));
}

Result<Temporary> Temporary::folder(const fs::path& target) {
  for (int i = 0; i < kTries; ++i) {
    const fs::path name = new_name(target);
    if (::mkdir(name.c_str(), 0700) != 0) return fail(errno_error("make folder", name, errno));
    auto held = make_held(name / kLock);
    if (!held && held.error().code != ErrorCode::NotFound) {
      ::rmdir(name.c_str());
      return fail(std::move(held).error());
    }
    if (!held || !*held) continue;
    Temporary made(name, name / target.filename(), **std::move(held));
    if (::mkdir(made.path().c_str(), 0777) != 0) return fail(errno_error("make folder", made.path(), errno));
    return made;
  }
  return fail(removed_each_time(target));
}

Temporary::~Temporary() {
  if (lock_) remove_held(name_, name_ != path_);
}

void Temporary::keep() {
  ::unlink((name_ / kLock).c_str());
  const Descriptor closed = std::move(lock_);
}

void remove_leftovers_of(const fs::path& target) {
  std::error_code ec;
  const fs::path folder = target.parent_path();
  for (fs::directory_iterator it(folder.empty() ? "." : folder, ec), end; !ec && it != end; it.increment(ec))
    if (target_of(it->path()) == target.filename()) remove_if_left(it->path());
}

void remove_leftovers(const fs::path& folder) {
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    if (target_of(it->path()).empty()) continue;
    it.disable_recursion_pending();
    remove_if_left(it->path());
  }
}

}  // namespace zt::files
