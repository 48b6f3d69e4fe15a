// SPDX-License-Identifier: Apache-2.0
// Whole-file reading and atomic writing. A file that matters is written to a temporary name in the same
// folder, synced, renamed and its folder synced, so that a reader sees the old or the new bytes and never a
// part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/files/descriptor.hpp"
#include "base/files/temporary.hpp"

namespace zt::hash {
class Xxh128;
}

namespace zt::files {

namespace fs = std::filesystem;

/// The whole file. Errors: NotFound, Permission, Unsupported if larger than `limit_bytes`, Unavailable on a
/// read error and for a pipe to which nobody writes.
Result<std::string> read(const fs::path& path, uint64_t limit_bytes = uint64_t{1} << 32);

/// The same for a file that no user pipes in, since it has its name in a folder. Errors: also
/// InvalidArgument, at once, unless it is a regular file.
Result<std::string> read_regular(const fs::path& path, uint64_t limit_bytes = uint64_t{1} << 32);

/// Adds the bytes of a whole file to a sum, part by part: a mapping would count as memory of the process,
/// which a run that has just saved all it holds may not have. Errors: InvalidArgument unless it is a regular
/// file (a pipe would wait for its writer, a device may never end); those of reading.
Status add_to(hash::Xxh128& sum, const fs::path& path);

/// Replaces `path` atomically and durably (fsync of file and folder). Errors: Permission, Exhausted, NotFound
/// (no such folder), InvalidArgument (a folder, and what Temporary::file() refuses): what was there then
/// stands, and no more.
Status write_atomic(const fs::path& path, std::span<const std::byte> bytes);
Status write_atomic(const fs::path& path, std::string_view text);

/// write_atomic for files too large to hold in memory at once: the bytes go to a temporary name in parts and
/// stand under `path` only after commit(). Destroyed without commit, it leaves nothing behind.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const fs::path& path);
  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);
  /// Syncs, renames over `path` and syncs the folder. Call once, last.
  Status commit();

 private:
  AtomicFile(fs::path path, Temporary temporary) : path_(std::move(path)), temporary_(std::move(temporary)) {}
  fs::path path_;
  Temporary temporary_;
};

/// Makes the folder and its parents, if missing; "" is the working folder. Errors: InvalidArgument where
/// something else stands there.
Status make_folders(const fs::path& path);
/// Whether the system says that nothing is there. A disk that can't say (EIO, a stale NFS handle) is no such
/// answer: what is missing may be removed or made anew.
bool is_absent(const fs::path& path);
/// `path` from the root; as it stands where that cannot be said: it is empty, or the working folder is gone.
fs::path whole_path(const fs::path& path);
/// Whether a file could be made at `path` later, its folders too: for work that writes at its end. Leaves
/// nothing behind. Errors: InvalidArgument if `path` is a folder; those of require_writable_folder().
Status require_writable(const fs::path& path);
/// The same of a file of any name in the folder `path`. Errors: make_folders()'s and Temporary::file()'s.
Status require_writable_folder(const fs::path& path);
/// fsync of a folder, so that renames in it are durable.
Status sync_folder(const fs::path& path);
/// Renames and syncs the parent folder of `to`. Both must be on one file system.
Status rename_durable(const fs::path& from, const fs::path& to);
/// Free bytes of the file system that holds `path` (or its nearest existing parent).
Result<uint64_t> free_bytes(const fs::path& path);
/// What the files below `folder` take of their disk, a file of several names once. What can't be read, or is
/// gone by then, takes nothing.
uint64_t used_bytes(const fs::path& folder);

/// An Error for errno after an operation on `path`: ENOENT -> NotFound, EACCES/EPERM/EROFS -> Permission,
/// ENOSPC/EDQUOT/EFBIG/ENOMEM/EMFILE/ENFILE -> Exhausted, EEXIST -> AlreadyExists, EISDIR, ELOOP,
/// ENAMETOOLONG and EINVAL
/// -> InvalidArgument, else Unavailable.
Error errno_error(std::string_view doing, const fs::path& path, int errno_value);

/// A read-only mapping of a whole file; the bytes stay valid while any copy of the shared pointer lives, also
/// when the file is replaced or removed. Truncation by another process while mapped is not survivable
/// (SIGBUS): map only files that are written atomically. An empty file gives an empty span.
class Mapping {
 public:
  static Result<std::shared_ptr<const Mapping>> open(const fs::path& path);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  Mapping(const std::byte* data, size_t size) : data_(data), size_(size) {}
  const std::byte* data_;
  size_t size_;
};

/// Holds an exclusive advisory lock (flock) on a file while it lives; the lock of a dead process is free.
class Lock {
 public:
  /// Errors: Unavailable if another process holds it; the message names the holder's pid and host, for which
  /// it waits half a second where the holder has not written them yet.
  static Result<Lock> acquire(const fs::path& path);

 private:
  explicit Lock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;  ///< closing drops the lock; the file stays, removing it would race with a waiter
};

}  // namespace zt::files
