// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>

#include "base/files/files.hpp"
#include "data/ingest/internal/candidate.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;
using config::IngestLayout;

constexpr std::string_view kPoseSuffix = "_dwpose", kKeypointsSuffix = "_keypoints";
constexpr std::array<std::string_view, 2> kPoseEndings = {"_dwpose", "_kps"};
constexpr std::string_view kMetaEnding = "_meta.json";

// Everything below a folder, sorted; hidden folders (our own .zoetrope too) and what can't be read are left
// out.
std::vector<fs::directory_entry> walk(const fs::path& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  auto it = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->path().filename().string().starts_with(".")) {
      it.disable_recursion_pending();
      continue;
    }
    entries.push_back(*it);
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// A file by a video's name. A link that leads nowhere or round in a circle, a pipe or a device counts, so
/// that opening it makes it a reject with a name and a reason.
bool is_video(const fs::directory_entry& entry) {
  std::error_code error;
  return is_video_name(entry.path()) && !entry.is_directory(error);
}

fs::path with_suffix(const fs::path& folder, std::string_view suffix) {
  fs::path path = folder;
  path += suffix;
  return path;
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

// NAME.mov with NAME_dwpose.mp4 and NAME_keypoints.jsonl, as `data pose` leaves them, or Moore's
// NAME_kps.mp4.
Candidate one_video(const fs::path& video, const fs::path& folder) {
  Candidate candidate;
  candidate.video = video;
  candidate.where = video.string();
  candidate.name = name_below(video, folder);
  const std::string stem = (video.parent_path() / video.stem()).string();
  candidate.keypoints = if_there(stem + "_keypoints.jsonl");
  for (const std::string_view ending : kPoseEndings)
    if (candidate.pose.empty()) candidate.pose = if_there(fmt::format("{}{}.mp4", stem, ending));
  return candidate;
}

bool is_pose_name(const fs::path& path) {
  const std::string stem = path.stem().string();
  return std::any_of(kPoseEndings.begin(), kPoseEndings.end(),
                     [&](std::string_view ending) { return stem.ends_with(ending); });
}

// ROOT and its neighbours ROOT_dwpose, ROOT_keypoints, ...: same relative paths.
void add_pairs(const fs::path& root, const fs::path& names_start, std::vector<Candidate>& candidates) {
  for (const fs::directory_entry& entry : walk(root)) {
    if (!is_video(entry)) continue;
    const fs::path relative = entry.path().lexically_relative(root);
    const auto beside = [&](std::string_view suffix, const char* ending) {
      fs::path path = with_suffix(root, suffix) / relative;
      if (*ending != '\0') path.replace_extension(ending);
      return path;
    };
    Candidate candidate = one_video(entry.path(), names_start);
    candidate.keypoints = if_there(beside(kKeypointsSuffix, ".jsonl"));
    candidate.pose = beside(kPoseSuffix, "");
    // Key-points do without a pose video; without either it stays named, to be a reject.
    if (!candidate.keypoints.empty()) candidate.pose = if_there(candidate.pose);
    candidate.mask = if_there(beside("_mask", ""));
    candidate.labels = if_there(beside("_labels", ""));
    candidate.background = if_there(beside("_background", ".png"));
    candidates.push_back(std::move(candidate));
  }
}

std::vector<fs::path> find_meta_lists(const fs::path& folder) {
  std::vector<fs::path> lists;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().ends_with(kMetaEnding)) lists.push_back(it->path());
  std::sort(lists.begin(), lists.end());
  return lists;
}

bool has_poses(const fs::path& root) {
  return is_folder(root) &&
         (is_folder(with_suffix(root, kPoseSuffix)) || is_folder(with_suffix(root, kKeypointsSuffix)));
}

// Folders in (or equal to) `folder` that have a neighbour with poses.
std::vector<fs::path> find_roots(const fs::path& folder) {
  std::vector<fs::path> roots;
  const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
  if (has_poses(plain)) return {plain};
  std::error_code error;
  for (fs::directory_iterator it(plain, error), end; !error && it != end; it.increment(error))
    if (has_poses(it->path())) roots.push_back(it->path());
  std::sort(roots.begin(), roots.end());
  return roots;
}

Result<Discovery> discover_moore(const fs::path& folder) {
  Discovery found;
  const std::vector<fs::path> lists = find_meta_lists(folder);
  for (const fs::path& list : lists) {
    ZT_TRY_ASSIGN(Discovery part, read_list(list));
    std::move(part.candidates.begin(), part.candidates.end(), std::back_inserter(found.candidates));
    std::move(part.rejects.begin(), part.rejects.end(), std::back_inserter(found.rejects));
  }
  if (!lists.empty()) return found;
  const std::vector<fs::path> roots = find_roots(folder);
  if (roots.empty())
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{} has neither a *_meta.json nor folders NAME with NAME_dwpose or NAME_keypoints",
                    folder.string()));
  for (const fs::path& root : roots) add_pairs(root, roots.size() == 1 ? root : folder, found.candidates);
  return found;
}

std::vector<Candidate> find_champ(const fs::path& folder) {
  std::vector<Candidate> candidates;
  std::vector<fs::directory_entry> entries = walk(folder);
  entries.emplace_back(folder);
  for (const fs::directory_entry& entry : entries) {
    if (!is_folder(entry.path() / "images") || !is_folder(entry.path() / "dwpose")) continue;
    Candidate candidate;
    candidate.video = entry.path() / "images";
    candidate.pose = entry.path() / "dwpose";
    candidate.mask = if_there(entry.path() / "mask");
    candidate.where = entry.path().string();
    candidate.name = entry.path() == folder ? folder.filename().string()
                                            : entry.path().lexically_relative(folder).generic_string();
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

std::vector<Candidate> find_footage(const fs::path& folder) {
  std::vector<Candidate> candidates;
  for (const fs::directory_entry& entry : walk(folder)) {
    if (!is_video(entry) || is_pose_name(entry.path())) continue;
    candidates.push_back(one_video(entry.path(), folder));
  }
  return candidates;
}

IngestLayout layout_of(const fs::path& folder) {
  if (!find_meta_lists(folder).empty() || !find_roots(folder).empty()) return IngestLayout::Moore;
  return find_champ(folder).empty() ? IngestLayout::Footage : IngestLayout::Champ;
}

}  // namespace

Result<Discovery> discover(const config::IngestJob& job) {
  const fs::path input = job.input;
  if (input.empty())
    return fail(
        ErrorCode::InvalidConfig,
        "input is not set: name a folder of videos, a video, a *_meta.json, or a CSV / JSONL manifest");
  std::error_code error;
  const fs::file_status status = fs::status(input, error);
  if (!fs::exists(status))
    return fail(ErrorCode::NotFound, fmt::format("there is no file or folder {}", input.string()));
  if (!fs::is_directory(status)) {
    if (is_video_name(input)) return Discovery{{one_video(input, input.parent_path())}, {}};
    const bool fits = job.layout == IngestLayout::Auto || job.layout == IngestLayout::Manifest ||
                      (job.layout == IngestLayout::Moore && input.extension() == ".json");
    if (fits) return read_list(input);
    return fail(ErrorCode::InvalidArgument, fmt::format("{} is a file; the layout {} is a folder",
                                                        input.string(), config::name(job.layout)));
  }
  const IngestLayout layout = job.layout == IngestLayout::Auto ? layout_of(input) : job.layout;
  switch (layout) {
    case IngestLayout::Moore:
      return discover_moore(input);
    case IngestLayout::Champ:
      return Discovery{find_champ(input), {}};
    case IngestLayout::Manifest:
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("{} is a folder; name the manifest file", input.string()));
    case IngestLayout::Auto:
    case IngestLayout::Footage:
      break;
  }
  return Discovery{find_footage(input), {}};
}

}  // namespace zt::data::ingest_internal
