// SPDX-License-Identifier: Apache-2.0
// The checkpoints of a run, as they stand on the disk.
//
//   checkpoints/step-00001200/                one checkpoint (contract/manifest.hpp)
//   checkpoints/step-00001200.zt-tmp.TOKEN/   an unfinished save (base/files/temporary.hpp): never read
//   checkpoints/latest                        the newest one's name, replaced atomically
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "contract/manifest.hpp"

namespace zt::contract {

/// "step-00001200".
std::string checkpoint_name(int64_t step);
/// Corrupt if the folder has the name of a checkpoint, but of another step than the manifest in it.
Status check_name(const std::filesystem::path& folder, int64_t step);

/// A checkpoint found on disk; `defect` is set when its manifest can't be used.
struct CheckpointEntry {
  std::filesystem::path folder;
  int64_t step = 0;
  int64_t generation = 0;
  std::vector<ManifestFile> files;
  uint64_t manifest_bytes = 0;
  std::map<std::string, double> metrics;
  std::string written_at;
  std::optional<Error> defect;

  /// Of all its files; those that it shares with other checkpoints count in each.
  uint64_t size_bytes() const;
};

/// Whether the entry's training has removed it since it was listed. Manifests go first, so one that was
/// listed without is given a second to vanish: blocks for up to 1 s for each damaged entry that stays.
bool was_removed(const CheckpointEntry& entry);

/// For those who look often: a manifest is read when it is new or another one than before.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  /// Every finished checkpoint, oldest first; an absent folder gives none. Does not look at the data files.
  std::vector<CheckpointEntry> list();

 private:
  /// A manifest that was read: written once and then only replaced, so these tell it from any other.
  struct Known {
    uint64_t inode = 0, size_bytes = 0;
    int64_t changed_ns = 0;
    CheckpointEntry entry;
  };
  using Manifests = std::map<std::filesystem::path, Known>;
  CheckpointEntry look(const std::filesystem::path& folder, int64_t step, Manifests& seen) const;

  std::filesystem::path path_;
  Manifests known_;  ///< by folder
};

/// CheckpointFolder::list() of one who looks once.
std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& checkpoints);

}  // namespace zt::contract
