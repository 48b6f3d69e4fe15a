// SPDX-License-Identifier: Apache-2.0
// A large file that must hold what was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/temporary.hpp"

namespace zt::files {

/// As AtomicFile (base/files.hpp); what is written is read back from the file system part by part, while it
/// is still in the processor's cache and the disk at work on what came before.
class CheckedFile {
 public:
  static Result<CheckedFile> create(const std::filesystem::path& path);
  Status write(std::span<const std::byte> bytes);
  /// Syncs, renames to the path and syncs the folder. Returns the XXH3-128 of all that was handed to write().
  /// Call once, last. Errors: Corrupt if the file has another; nothing then stands under the path.
  Result<std::string> commit();

 private:
  CheckedFile(std::filesystem::path path, Temporary temporary);
  Status read_back();

  std::filesystem::path path_;
  Temporary temporary_;
  uint64_t written_ = 0, read_ = 0;  ///< bytes
  hash::Xxh128 given_, found_;       ///< of what was handed in, and of what the file has
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace zt::files
