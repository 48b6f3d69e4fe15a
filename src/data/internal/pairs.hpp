// SPDX-License-Identifier: Apache-2.0
// What belongs to films by its name: folders beside a folder of films, ROOT_dwpose and the like, with equal
// relative paths below them, and pose videos beside a film.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zt::data::internal {

inline constexpr std::string_view kPoseSuffix = "_dwpose", kKeypointsSuffix = "_keypoints",
                                  kMaskSuffix = "_mask", kLabelsSuffix = "_labels",
                                  kBackgroundSuffix = "_background";

/// FOLDER_dwpose beside FOLDER.
std::filesystem::path with_suffix(const std::filesystem::path& folder, std::string_view suffix);

/// The folder by a name that its neighbours can have theirs from: "films/" without its slash, "." and
/// "films/.." as absolute paths.
std::filesystem::path named(const std::filesystem::path& folder);

/// Whether a neighbour of the folder, NAME_dwpose or NAME_keypoints, holds poses.
bool is_root(const std::filesystem::path& folder);

/// Of NAME_dwpose.mp4, as `data pose` leaves it beside a film, or Moore's NAME_kps.mp4: the path without what
/// the film's has not, and without ending. Nothing for other names.
std::optional<std::string> stem_of_film(const std::filesystem::path& pose_video);

/// Folders of films with poses beside them, and all that lies beside them for their sake.
class Roots {
 public:
  Roots() = default;
  /// Those among what a walk found; of one inside another or inside what belongs to another, only the outer
  /// one.
  explicit Roots(std::span<const std::filesystem::directory_entry> entries);
  /// The folder itself, which must be one.
  static Roots of(const std::filesystem::path& folder);

  const std::vector<std::filesystem::path>& folders() const { return folders_; }
  /// The root that the file lies below, by its path; null if none.
  const std::filesystem::path* root_of(const std::filesystem::path& file) const;
  /// Whether the file lies below a root's ROOT_dwpose, ROOT_mask and so on, under whatever name.
  bool is_companion(const std::filesystem::path& file) const;
  /// Whether it is either, also by the way of a link.
  bool covers(const std::filesystem::path& file) const;

 private:
  void add(const std::filesystem::path& root);
  std::vector<std::filesystem::path> folders_;
  std::set<std::filesystem::path> roots_;                    // as they are called
  std::set<std::filesystem::path> real_roots_, companions_;  // without links
};

}  // namespace zt::data::internal
