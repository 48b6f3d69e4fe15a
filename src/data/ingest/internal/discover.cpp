// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/files/files.hpp"
#include "data/ingest/internal/candidate.hpp"
#include "data/ingest/internal/measure.hpp"
#include "data/internal/folder_walk.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;
using config::IngestLayout;

constexpr std::string_view kPoseSuffix = "_dwpose", kKeypointsSuffix = "_keypoints";
constexpr std::array<std::string_view, 2> kPoseEndings = {"_dwpose", "_kps"};
constexpr std::string_view kMetaEnding = "_meta.json";

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

// Everything below a folder; what can't be listed is said.
std::vector<fs::directory_entry> entries_below(const fs::path& folder, Discovery& found) {
  internal::FolderWalk walk = internal::walk(folder);
  for (const internal::UnreadFolder& unread : walk.unread)
    found.unread.push_back(
        {unread.path.string(), reason_of(unread.error.code), unread.error.text(), unread.error.code});
  return std::move(walk.entries);
}

// ROOT and its neighbours ROOT_dwpose, ROOT_keypoints, ...: same relative paths.
void add_pairs(const fs::path& root, const fs::path& names_start, Discovery& found) {
  for (const fs::directory_entry& entry : entries_below(root, found)) {
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
    found.candidates.push_back(std::move(candidate));
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

struct MetaLists {
  Discovery found;
  size_t num_read = 0;
  std::optional<Error> first_error;
};

// One list that is damaged, or is something else by that name, takes nothing from the others.
MetaLists read_meta_lists(const fs::path& folder) {
  MetaLists lists;
  for (const fs::path& path : find_meta_lists(folder)) {
    auto part = read_list(path);
    if (!part) {
      const bool is_damaged = part.error().code == ErrorCode::Corrupt;
      lists.found.unread.push_back({path.string(), is_damaged ? "bad-list" : reason_of(part.error().code),
                                    part.error().text(), part.error().code});
      if (!lists.first_error) lists.first_error = std::move(part).error();
      continue;
    }
    ++lists.num_read;
    auto& [candidates, rejects, unread] = lists.found;
    std::move(part->candidates.begin(), part->candidates.end(), std::back_inserter(candidates));
    std::move(part->rejects.begin(), part->rejects.end(), std::back_inserter(rejects));
  }
  return lists;
}

Result<Discovery> find_pairs(const fs::path& folder) {
  const std::vector<fs::path> roots = find_roots(folder);
  if (roots.empty())
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{} has neither a *_meta.json nor folders NAME with NAME_dwpose or NAME_keypoints",
                    folder.string()));
  Discovery found;
  for (const fs::path& root : roots) add_pairs(root, roots.size() == 1 ? root : folder, found);
  return found;
}

Result<Discovery> discover_moore(const fs::path& folder) {
  MetaLists lists = read_meta_lists(folder);
  if (lists.num_read > 0) return std::move(lists.found);
  if (lists.first_error) return fail(*std::move(lists.first_error));
  return find_pairs(folder);
}

// A folder of pictures without poses stays named, to be a reject.
Discovery find_champ(const fs::path& folder) {
  Discovery found;
  std::vector<fs::directory_entry> entries = entries_below(folder, found);
  entries.emplace_back(folder);
  for (const fs::directory_entry& entry : entries) {
    if (!is_folder(entry.path() / "images")) continue;
    Candidate candidate;
    candidate.video = entry.path() / "images";
    candidate.pose = entry.path() / "dwpose";
    candidate.mask = if_there(entry.path() / "mask");
    candidate.where = entry.path().string();
    candidate.name = entry.path() == folder ? folder.filename().string()
                                            : entry.path().lexically_relative(folder).generic_string();
    found.candidates.push_back(std::move(candidate));
  }
  return found;
}

Discovery find_footage(const fs::path& folder) {
  Discovery found;
  std::set<std::string> stems;
  std::vector<fs::path> poses;
  for (const fs::directory_entry& entry : entries_below(folder, found)) {
    if (!is_video(entry)) continue;
    if (is_pose_name(entry.path())) {
      poses.push_back(entry.path());
      continue;
    }
    found.candidates.push_back(one_video(entry.path(), folder));
    stems.insert(fs::path(entry.path()).replace_extension().string());
  }
  for (const fs::path& pose : poses) {
    const std::string stem = fs::path(pose).replace_extension().string();
    const bool has_video =
        std::any_of(kPoseEndings.begin(), kPoseEndings.end(), [&](std::string_view ending) {
          return stem.ends_with(ending) && stems.contains(stem.substr(0, stem.size() - ending.size()));
        });
    if (!has_video)
      found.rejects.push_back(
          {pose.string(), "missing-video", "its name is a pose video's, and there is no video beside it"});
  }
  return found;
}

// The first layout that fits. Lists of which none can be read are somebody else's, and are said.
Result<Discovery> discover_by_looking(const fs::path& folder) {
  MetaLists lists = read_meta_lists(folder);
  if (lists.num_read > 0) return std::move(lists.found);
  Discovery found;
  if (!find_roots(folder).empty()) {
    ZT_TRY_ASSIGN(found, find_pairs(folder));
  } else {
    found = find_champ(folder);
    const bool is_champ = std::any_of(found.candidates.begin(), found.candidates.end(),
                                      [](const Candidate& candidate) { return is_folder(candidate.pose); });
    if (!is_champ) found = find_footage(folder);
  }
  found.unread.insert(found.unread.begin(), lists.found.unread.begin(), lists.found.unread.end());
  return found;
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
    if (is_video_name(input)) return Discovery{{one_video(input, input.parent_path())}, {}, {}};
    const bool fits = job.layout == IngestLayout::Auto || job.layout == IngestLayout::Manifest ||
                      (job.layout == IngestLayout::Moore && input.extension() == ".json");
    if (fits) return read_list(input);
    return fail(ErrorCode::InvalidArgument, fmt::format("{} is a file; the layout {} is a folder",
                                                        input.string(), config::name(job.layout)));
  }
  switch (job.layout) {
    case IngestLayout::Auto:
      return discover_by_looking(input);
    case IngestLayout::Moore:
      return discover_moore(input);
    case IngestLayout::Champ:
      return find_champ(input);
    case IngestLayout::Manifest:
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("{} is a folder; name the manifest file", input.string()));
    case IngestLayout::Footage:
      break;
  }
  return find_footage(input);
}

}  // namespace zt::data::ingest_internal
