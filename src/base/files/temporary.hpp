// SPDX-License-Identifier: Apache-2.0
// Files and folders that are still being written. They have a name of their own, NAME.zt-tmp.TOKEN beside
// NAME, and whoever writes holds a lock (flock) on them. What nobody holds was left by a killed process, of
// this or of another host or container on the same file system, and is removed by the next that looks. A file
// system without locks is written to in the same way, but nothing is ever removed there.
#pragma once

#include <filesystem>
#include <utility>

#include "base/error.hpp"
#include "base/files/descriptor.hpp"

namespace zt::files {

/// Holds what is being written. When it is whole, rename path() to its place (rename_durable) while this
/// object lives: what is still under the temporary name at its end is removed.
class Temporary {
 public:
  /// An empty file beside `target`. Errors: those of the file system; InvalidArgument for a pipe, a device
  /// and a name of an open file (/dev/stdout).
  static Result<Temporary> file(const std::filesystem::path& target);
  /// An empty folder in a private one, NAME.zt-tmp.TOKEN/NAME, where the lock is beside it and not in it.
  static Result<Temporary> folder(const std::filesystem::path& target);
  Temporary(Temporary&&) noexcept = default;
  Temporary& operator=(Temporary&&) = delete;
  ~Temporary();

  const std::filesystem::path& path() const { return path_; }
  /// Of a file, open for reading and writing.
  int descriptor() const { return lock_.get(); }
  /// Of a folder: it stays for good, where it is.
  void keep();

 private:
  Temporary(std::filesystem::path name, std::filesystem::path path, Descriptor lock)
      : name_(std::move(name)), path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path name_, path_;  ///< NAME.zt-tmp.TOKEN; the same again, or the folder in it
  Descriptor lock_;                    ///< none once kept or moved from
};

/// Removes what killed processes of this user left of `target`.
void remove_leftovers_of(const std::filesystem::path& target);
/// Removes what they left anywhere in `folder`.
void remove_leftovers(const std::filesystem::path& folder);

}  // namespace zt::files
