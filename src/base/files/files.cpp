// SPDX-License-Identifier: Apache-2.0
#include "base/files/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/files/internal/write_out.hpp"
#include "base/hash.hpp"
#include "base/host_name.hpp"
#include "base/signals.hpp"

namespace zt::files {
namespace {

constexpr std::chrono::seconds kPipeLimit(30);

/// Until a pipe has something to read, or had it and its last writer has left.
Status await_writer(const Descriptor& pipe, const fs::path& path) {
  const clock::Deadline deadline = clock::in(kPipeLimit);
  pollfd wanted{pipe.get(), POLLIN, 0};
  while (clock::left(deadline).count() > 0) {
    if (signals::stop() != signals::Stop::None)
      return fail(ErrorCode::Cancelled, fmt::format("stopped before {}, a pipe, was written", path.string()));
    if (::poll(&wanted, 1, static_cast<int>(clock::left(deadline).count())) > 0) return {};
  }
  return fail(ErrorCode::Unavailable, fmt::format("{} is a pipe, and nothing was written to it for {} s",
                                                  path.string(), kPipeLimit.count()));
}

/// To read. InvalidArgument for anything but a regular file, at once: opening a pipe would wait for its
/// writer.
Result<Descriptor> open_regular(const fs::path& path) {
  Descriptor fd = Descriptor::open(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return fail(errno_error("open", path, errno));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail(errno_error("stat", path, errno));
  if (!S_ISREG(st.st_mode))
    return fail(ErrorCode::InvalidArgument, fmt::format("{} is not a regular file", path.string()));
  return fd;
}

/// What `fd`, open on `path`, has to give.
Result<std::string> read_all(const Descriptor& fd, const fs::path& path, uint64_t limit_bytes) {
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail(errno_error("stat", path, errno));
  if (S_ISDIR(st.st_mode)) return fail(errno_error("read", path, EISDIR));
  std::string out;
  out.reserve(std::min(static_cast<uint64_t>(st.st_size), limit_bytes));
  char buffer[1 << 16];
  for (;;) {
    if (!S_ISREG(st.st_mode)) ZT_TRY(await_writer(fd, path));
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_error("read", path, errno));
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
    if (out.size() > limit_bytes) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("{} is larger than the limit of {} bytes", path.string(), limit_bytes));
    }
  }
}

constexpr const char* kAnyName = ".zt-probe";

/// InvalidArgument where something else stands at `folder` or on the way to it.
Status require_no_obstacle(const fs::path& folder) {
  std::error_code ec;
  fs::path part = folder;
  while (part.has_relative_path() && !fs::exists(fs::symlink_status(part, ec))) part = part.parent_path();
  const fs::file_status status = fs::status(part, ec);
  if (part.empty() || fs::is_directory(status) || !fs::status_known(status)) return {};
  const fs::path target = fs::read_symlink(part, ec);
  return fail(
      ErrorCode::InvalidArgument,
      fmt::format("a folder is to be made at {}, and {} is {}: name another", folder.string(), part.string(),
                  ec ? "no folder" : "a link to " + target.string() + ", which is no folder"));
}

/// Whether a file of this name could be made in a folder, or in the nearest above it that is there.
Status require_name(fs::path folder, const fs::path& name) {
  ZT_TRY(require_no_obstacle(folder));
  std::error_code ignored;
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  ZT_TRY(AtomicFile::create(folder / name));
  return {};
}

constexpr const char* kHolder = "pid {} on {}";
constexpr std::chrono::milliseconds kNameLimit(500);

/// Whether a lock file still names a process of this host that is gone: its next holder is about to write.
bool is_outdated(const std::string& holder) {
  int pid = 0;
  return std::sscanf(holder.c_str(), "pid %d on", &pid) == 1 &&
         holder == fmt::format(kHolder, pid, host_name()) && ::kill(pid, 0) != 0 && errno == ESRCH;
}

/// A holder takes the lock before it can write who it is: it gets a moment for that.
std::string name_of_holder(const Descriptor& lock) {
  const clock::Deadline deadline = clock::in(kNameLimit);
  for (;;) {
    char text[256] = {};
    const ssize_t n = ::pread(lock.get(), text, sizeof text - 1, 0);
    if (n > 0 && !is_outdated(text)) return text;
    if (clock::left(deadline).count() <= 0) return "one that is just starting";
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

Error errno_error(std::string_view doing, const fs::path& path, int errno_value) {
  ErrorCode code = ErrorCode::Unavailable;
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      code = ErrorCode::NotFound;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = ErrorCode::Permission;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      code = ErrorCode::Exhausted;
      break;
    case EEXIST:
      code = ErrorCode::AlreadyExists;
      break;
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
      code = ErrorCode::InvalidArgument;
      break;
    default:
      break;
  }
  return Error{code, fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(errno_value))};
}

Result<std::string> read(const fs::path& path, uint64_t limit_bytes) {
  const Descriptor fd = Descriptor::open(path, O_RDONLY | O_NONBLOCK);  // a pipe's writer is awaited below
  if (!fd) return fail(errno_error("open", path, errno));
  return read_all(fd, path, limit_bytes);
}

Result<std::string> read_regular(const fs::path& path, uint64_t limit_bytes) {
  ZT_TRY_ASSIGN(const Descriptor fd, open_regular(path));
  return read_all(fd, path, limit_bytes);
}

Status add_to(hash::Xxh128& sum, const fs::path& path) {
  ZT_TRY_ASSIGN(const Descriptor fd, open_regular(path));
  std::vector<std::byte> part(size_t{1} << 20);
  for (;;) {
    const ssize_t n = ::read(fd.get(), part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_error("read", path, errno));
    if (n == 0) return {};
    sum.update(std::span(part).first(static_cast<size_t>(n)));
  }
}

Result<AtomicFile> AtomicFile::create(const fs::path& path) {
  ZT_TRY_ASSIGN(Temporary temporary, Temporary::file(path));
  return AtomicFile(path, std::move(temporary));
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  return internal::write_out(temporary_.descriptor(), bytes, temporary_.path());
}

Status AtomicFile::write(std::string_view text) {
  return write(std::as_bytes(std::span(text.data(), text.size())));
}

Status AtomicFile::commit() {
  if (::fsync(temporary_.descriptor()) != 0) return fail(errno_error("sync", temporary_.path(), errno));
  return rename_durable(temporary_.path(), path_);
}

Status write_atomic(const fs::path& path, std::span<const std::byte> bytes) {
  ZT_TRY_ASSIGN(AtomicFile file, AtomicFile::create(path));
  ZT_TRY(file.write(bytes));
  return file.commit();
}

Status write_atomic(const fs::path& path, std::string_view text) {
  return write_atomic(path, std::as_bytes(std::span(text.data(), text.size())));
}

Status make_folders(const fs::path& path) {
  if (path.empty()) return {};
  std::error_code ec;
  fs::create_directories(path, ec);
  if (!ec) return {};
  ZT_TRY(require_no_obstacle(path));
  return fail(errno_error("make folder", path, ec.value()));
}

fs::path whole_path(const fs::path& path) {
  std::error_code no_working_folder;
  fs::path whole = fs::absolute(path, no_working_folder);
  return no_working_folder ? path : whole;
}

bool is_absent(const fs::path& path) {
  std::error_code unknown;
  return !fs::exists(path, unknown) && !unknown;
}

Status require_writable(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{} is a folder: a file is to be written", path.string()));
  return require_name(whole_path(path).parent_path(), path.filename());
}

Status require_writable_folder(const fs::path& path) { return require_name(whole_path(path), kAnyName); }

Status sync_folder(const fs::path& path) {
  const Descriptor fd = Descriptor::open(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(errno_error("open folder", path, errno));
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return fail(errno_error("sync folder", path, errno));
  return {};
}

Status rename_durable(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(errno_error("rename to", to, errno));
  return sync_folder(to.parent_path());
}

Result<uint64_t> free_bytes(const fs::path& path) {
  std::error_code ec;
  fs::path probe = fs::absolute(path, ec);
  while (!probe.empty() && !fs::exists(probe, ec) && probe != probe.root_path()) probe = probe.parent_path();
  struct statvfs st {};
  if (::statvfs(probe.c_str(), &st) != 0) return fail(errno_error("ask for free space of", probe, errno));
  return uint64_t{st.f_bavail} * st.f_frsize;
}

uint64_t used_bytes(const fs::path& folder) {
  constexpr uint64_t kBlockBytes = 512;  // of st_blocks, whatever the file system's are
  std::set<std::pair<dev_t, ino_t>> seen;
  uint64_t bytes = 0;
  std::error_code ec;
  for (fs::recursive_directory_iterator item(folder, ec), end; !ec && item != end; item.increment(ec)) {
    struct stat facts {};
    if (::lstat(item->path().c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        seen.emplace(facts.st_dev, facts.st_ino).second)
      bytes += static_cast<uint64_t>(facts.st_blocks) * kBlockBytes;
  }
  return bytes;
}

Result<std::shared_ptr<const Mapping>> Mapping::open(const fs::path& path) {
  ZT_TRY_ASSIGN(const Descriptor fd, open_regular(path));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail(errno_error("stat", path, errno));
  const auto size = static_cast<size_t>(st.st_size);
  if (size == 0) return std::shared_ptr<const Mapping>(new Mapping(nullptr, 0));
  // Private and writable: a stray write through a tensor view can't reach the file.
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
  if (data == MAP_FAILED) return fail(errno_error("map", path, errno));
  return std::shared_ptr<const Mapping>(new Mapping(static_cast<const std::byte*>(data), size));
}

Mapping::~Mapping() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<Lock> Lock::acquire(const fs::path& path) {
  Descriptor fd = Descriptor::open(path, O_RDWR | O_CREAT, 0644);
  if (!fd) return fail(errno_error("open lock", path, errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(errno_error("lock", path, errno));
    return fail(ErrorCode::Unavailable, fmt::format("{} is in use by another process ({})",
                                                    path.parent_path().string(), name_of_holder(fd)));
  }
  const std::string holder = fmt::format(kHolder, ::getpid(), host_name());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), holder.data(), holder.size(), 0) < 0) {
    return fail(errno_error("write lock", path, errno));
  }
  return Lock(std::move(fd));
}

}  // namespace zt::files
