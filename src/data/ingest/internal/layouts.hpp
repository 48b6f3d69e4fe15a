// SPDX-License-Identifier: Apache-2.0
// The videos of a folder by its layout, where no list names them (docs/formats/ingest.md).
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "data/ingest/internal/candidate.hpp"
#include "data/internal/pairs.hpp"

namespace zt::data::ingest_internal {

/// A folder and everything below it.
struct Tree {
  std::filesystem::path folder;
  std::vector<std::filesystem::directory_entry> entries;  ///< sorted by path
  internal::Roots roots;                                  ///< in it, or the folder itself
};
/// Folders that can't be listed become unread of `found`.
Tree look_below(const std::filesystem::path& folder, Discovery& found);

/// A film alone, with what lies beside it under its name. `folder`: its name is relative to that.
Candidate one_video(const std::filesystem::path& video, const std::filesystem::path& folder);

/// Every video below a root with what belongs to it; what is not there of poses stays named, to be a reject.
/// Poses without a video are rejects.
void add_pairs(const Tree& tree, Discovery& found);
/// Every folder with images/ in it; one without poses stays named.
void add_champ(const Tree& tree, Discovery& found);
/// Whether one of these candidates of add_champ() has poses.
bool has_poses(const Discovery& champ);
/// Every video that is not somebody's pose, mask or the like by its name.
void add_footage(const Tree& tree, Discovery& found);

/// Rejects for all that is in none of the tree's roots, or, if it has none, in no folder of Champ's.
void reject_others(const Tree& tree, std::string_view layout, Discovery& found);

}  // namespace zt::data::ingest_internal
