// SPDX-License-Identifier: Apache-2.0
// One entry of the cache as a file (docs/formats/cache.md): written under a temporary name and renamed,
// verified when it is read. The writer holds a lock on the temporary file, so that what a dead writer left
// can be told from what is being written.
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

/// Puts the entry in place of whatever stands at `path`. `temp` is a name in the same file system that no
/// other writer uses. Errors: those of the file system; the temporary file is then gone.
Status write_entry(const std::filesystem::path& path, const std::filesystem::path& temp,
                   const std::string& key, std::span<const std::byte> payload);

enum class EntryState { Absent, Good, Damaged };
struct ReadEntry {
  EntryState state = EntryState::Absent;
  std::vector<std::byte> payload;
};
/// Reads and verifies; a good entry is marked as used now.
ReadEntry read_entry(const std::filesystem::path& path, const std::string& key);

/// Removes a temporary file unless its writer lives.
void remove_if_abandoned(const std::filesystem::path& temp);

}  // namespace zt::data::internal
