// SPDX-License-Identifier: Apache-2.0
// A large file that must hold what was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/error.hpp"
#include "base/files/descriptor.hpp"
#include "base/hash.hpp"

namespace zt::files {

/// What is written is read back from the file system part by part, on a thread of its own and while the disk
/// is at work on it. The file grows under its path: give it a temporary name, or a place in a folder that has
/// one (base/files/temporary.hpp).
class CheckedFile {
 public:
  /// An empty file. Errors: those of the file system.
  static Result<CheckedFile> create(const std::filesystem::path& path);
  CheckedFile(CheckedFile&&) noexcept;
  ~CheckedFile();
  Status write(std::span<const std::byte> bytes);
  /// Syncs the file; its folder is left to the caller. Returns the XXH3-128 of all that was handed to
  /// write(). Call once, last. Errors: Corrupt if the file has another.
  Result<std::string> finish();

 private:
  class ReadBack;
  CheckedFile(std::filesystem::path path, Descriptor file);

  std::filesystem::path path_;
  Descriptor file_;
  uint64_t written_ = 0;                 ///< bytes
  hash::Xxh128 given_;                   ///< of what was handed in
  std::unique_ptr<ReadBack> read_back_;  ///< ends before the file is closed
};

}  // namespace zt::files
