// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/internal/layouts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/ingest/internal/measure.hpp"
#include "data/internal/folder_walk.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;
using Stems = std::set<std::string>;

/// A file by a video's name. A link that leads nowhere or round in a circle, a pipe or a device counts, so
/// that opening it makes it a reject with a name and a reason.
bool is_video(const fs::directory_entry& entry) {
  std::error_code error;
  return is_video_name(entry.path()) && !entry.is_directory(error);
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

fs::path if_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) ? path : fs::path();
}

std::string name_below(const fs::path& video, const fs::path& folder) {
  return video.lexically_relative(folder).replace_extension().generic_string();
}

std::string stem_of(const fs::path& video) { return fs::path(video).replace_extension().string(); }

/// Everything below a folder; what can't be listed is said once.
std::vector<fs::directory_entry> entries_below(const fs::path& folder, Discovery& found) {
  internal::FolderWalk walk = internal::walk(folder);
  for (const internal::UnreadFolder& unread : walk.unread) {
    const auto is_same = [&](const Finding& said) { return said.what == unread.path.string(); };
    if (std::ranges::none_of(found.unread, is_same))
      found.unread.push_back(
          {unread.path.string(), reason_of(unread.error.code), unread.error.text(), unread.error.code});
  }
  return std::move(walk.entries);
}

std::vector<fs::path> videos_below(const fs::path& folder, Discovery& found) {
  std::vector<fs::path> videos;
  for (const fs::directory_entry& entry : entries_below(folder, found))
    if (is_video(entry)) videos.push_back(entry.path());
  return videos;
}

/// What ROOT's neighbours hold for a video below ROOT, by its relative path.
struct Neighbours {
  const fs::path& root;
  fs::path relative;

  fs::path named(std::string_view suffix, const char* ending = "") const {
    fs::path path = internal::with_suffix(root, suffix) / relative;
    if (*ending != '\0') path.replace_extension(ending);
    return path;
  }
};

/// Of what is in ROOT_dwpose: `data pose` gives its mp4 the name of a film of any ending.
void reject_lost_poses(const fs::path& root, const std::vector<fs::path>& films, Discovery& found) {
  const fs::path poses = internal::with_suffix(root, internal::kPoseSuffix);
  if (!is_folder(poses)) return;
  Stems stems;
  for (const fs::path& film : films) stems.insert(name_below(film, root));
  for (const fs::path& pose : videos_below(poses, found))
    if (!stems.contains(name_below(pose, poses)))
      found.rejects.push_back(
          {pose.string(), "missing-video",
           fmt::format("it is a pose video by its folder's name, and there is no such video "
                       "in {}",
                       root.string())});
}

Candidate one_pair(const fs::path& video, const fs::path& root, const fs::path& names_start) {
  const Neighbours beside{root, video.lexically_relative(root)};
  Candidate candidate = one_video(video, names_start);
  candidate.keypoints = if_there(beside.named(internal::kKeypointsSuffix, ".jsonl"));
  candidate.pose = beside.named(internal::kPoseSuffix);
  // Key-points do without a pose video; without either it stays named, to be a reject.
  if (!candidate.keypoints.empty()) candidate.pose = if_there(candidate.pose);
  candidate.mask = if_there(beside.named(internal::kMaskSuffix));
  candidate.labels = if_there(beside.named(internal::kLabelsSuffix));
  candidate.background = if_there(beside.named(internal::kBackgroundSuffix, ".png"));
  return candidate;
}

/// Poses beside the film, or else in its root's neighbours.
Candidate one_film(const fs::path& video, const Tree& tree) {
  Candidate candidate = one_video(video, tree.folder);
  const fs::path* root = tree.roots.root_of(video);
  if (!root) return candidate;
  const Neighbours beside{*root, video.lexically_relative(*root)};
  if (candidate.keypoints.empty())
    candidate.keypoints = if_there(beside.named(internal::kKeypointsSuffix, ".jsonl"));
  if (candidate.pose.empty()) candidate.pose = if_there(beside.named(internal::kPoseSuffix));
  return candidate;
}

bool is_champ(const fs::path& folder) { return is_folder(folder / "images") && is_folder(folder / "dwpose"); }

/// A clip's folder is Champ's, and so are those of its pictures.
bool is_in_champ(const fs::path& file) {
  const fs::path folder = file.parent_path();
  return is_champ(folder) || is_champ(folder.parent_path());
}

}  // namespace

Tree look_below(const fs::path& folder, Discovery& found) {
  const fs::path own = internal::named(folder);
  const bool is_root = internal::is_root(own);
  Tree tree{is_root ? own : folder, {}, {}};
  tree.entries = entries_below(tree.folder, found);
  tree.roots = is_root ? internal::Roots::of(own) : internal::Roots(tree.entries);
  return tree;
}

// NAME.mov with NAME_dwpose.mp4 and NAME_keypoints.jsonl, as `data pose` leaves them, or Moore's
// NAME_kps.mp4.
Candidate one_video(const fs::path& video, const fs::path& folder) {
  Candidate candidate;
  candidate.video = video;
  candidate.where = video.string();
  candidate.name = name_below(video, folder);
  const std::string stem = stem_of(video);
  candidate.keypoints = if_there(stem + "_keypoints.jsonl");
  for (const char* ending : {"_dwpose.mp4", "_kps.mp4"})
    if (candidate.pose.empty()) candidate.pose = if_there(stem + ending);
  return candidate;
}

void add_pairs(const Tree& tree, Discovery& found) {
  const auto& roots = tree.roots.folders();
  for (const fs::path& root : roots) {
    const std::vector<fs::path> films = videos_below(root, found);
    for (const fs::path& film : films)
      found.candidates.push_back(one_pair(film, root, roots.size() == 1 ? root : tree.folder));
    reject_lost_poses(root, films, found);
  }
}

void add_champ(const Tree& tree, Discovery& found) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : tree.entries) folders.push_back(entry.path());
  folders.push_back(tree.folder);
  for (const fs::path& folder : folders) {
    if (!is_folder(folder / "images")) continue;
    Candidate candidate;
    candidate.video = folder / "images";
    candidate.pose = folder / "dwpose";
    candidate.mask = if_there(folder / "mask");
    candidate.where = folder.string();
    candidate.name = folder == tree.folder ? folder.filename().string()
                                           : folder.lexically_relative(tree.folder).generic_string();
    found.candidates.push_back(std::move(candidate));
  }
}

bool has_poses(const Discovery& champ) {
  return std::ranges::any_of(champ.candidates, is_folder, &Candidate::pose);
}

void add_footage(const Tree& tree, Discovery& found) {
  Stems stems;
  std::vector<fs::path> poses;
  for (const fs::directory_entry& entry : tree.entries) {
    if (!is_video(entry) || tree.roots.is_companion(entry.path())) continue;
    if (internal::stem_of_film(entry.path())) {
      poses.push_back(entry.path());
      continue;
    }
    found.candidates.push_back(one_film(entry.path(), tree));
    stems.insert(stem_of(entry.path()));
  }
  for (const fs::path& pose : poses)
    if (!stems.contains(*internal::stem_of_film(pose)))
      found.rejects.push_back(
          {pose.string(), "missing-video", "its name is a pose video's, and there is no video beside it"});
  for (const fs::path& root : tree.roots.folders()) reject_lost_poses(root, videos_below(root, found), found);
}

void reject_others(const Tree& tree, std::string_view layout, Discovery& found) {
  const bool has_roots = !tree.roots.folders().empty();
  const std::string detail = fmt::format(
      "the folder has clips in the layout {0}, and this is none of them: ingest it apart; or set layout={0}, "
      "which "
      "leaves it out, or layout=footage, which takes every film, with or without poses",
      layout);
  for (const fs::directory_entry& entry : tree.entries) {
    const fs::path& path = entry.path();
    const bool is_clip = is_video(entry) || (has_roots && is_champ(path));
    const bool is_taken = has_roots ? tree.roots.covers(path) : is_in_champ(path);
    if (is_clip && !is_taken) found.rejects.push_back({path.string(), "not-in-layout", detail});
  }
}

}  // namespace zt::data::ingest_internal
