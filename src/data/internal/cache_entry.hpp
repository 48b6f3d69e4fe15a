// SPDX-License-Identifier: Apache-2.0
// One entry of the cache as a file (docs/formats/cache.md): written under a temporary name and renamed,
// verified when it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace zt::data::internal {

inline constexpr uint64_t kEntryHeaderBytes = 48;

/// Puts the entry in place of whatever stands at `path`; until it is whole it lies in `temp_folder`, of the
/// same file system. Errors: those of the file system.
Status write_entry(const std::filesystem::path& path, const std::filesystem::path& temp_folder,
                   const std::string& key, std::span<const std::byte> payload);

enum class EntryState { Absent, Good, Damaged };
struct ReadEntry {
  EntryState state = EntryState::Absent;
  std::vector<std::byte> payload;
};
/// Reads and verifies; a good entry is marked as used now.
ReadEntry read_entry(const std::filesystem::path& path, const std::string& key);

}  // namespace zt::data::internal
