// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "data/ingest/internal/candidate.hpp"
#include "data/ingest/internal/layouts.hpp"
#include "data/ingest/internal/measure.hpp"
#include "data/sample/frame_source.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;
using config::IngestLayout;

constexpr std::string_view kMetaEnding = "_meta.json";

std::vector<fs::path> find_meta_lists(const fs::path& folder) {
  std::vector<fs::path> lists;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().ends_with(kMetaEnding)) lists.push_back(it->path());
  std::sort(lists.begin(), lists.end());
  return lists;
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
      const ErrorCode code = part.error().code;
      const bool is_bad = code == ErrorCode::Corrupt || code == ErrorCode::Unsupported;  // or too long
      lists.found.unread.push_back(
          {path.string(), is_bad ? "bad-list" : reason_of(code), part.error().text(), code});
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

Result<Discovery> discover_moore(const fs::path& folder) {
  MetaLists lists = read_meta_lists(folder);
  if (lists.num_read > 0) return std::move(lists.found);
  if (lists.first_error) return fail(*std::move(lists.first_error));
  Discovery found;
  const Tree tree = look_below(folder, found);
  if (tree.roots.folders().empty())
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{} has neither a *_meta.json nor, at any depth, folders NAME with NAME_dwpose or "
                    "NAME_keypoints",
                    folder.string()));
  add_pairs(tree, found);
  return found;
}

// The first layout that fits; what it leaves over is said. Lists of which none can be read are somebody
// else's, and are said, too.
Discovery discover_by_looking(const fs::path& folder) {
  MetaLists lists = read_meta_lists(folder);
  if (lists.num_read > 0) return std::move(lists.found);
  Discovery found;
  found.unread = std::move(lists.found.unread);
  const Tree tree = look_below(folder, found);
  Discovery champ;
  add_champ(tree, champ);
  if (!tree.roots.folders().empty()) {
    add_pairs(tree, found);
    reject_others(tree, config::name(IngestLayout::Moore), found);
  } else if (has_poses(champ)) {
    found.candidates = std::move(champ.candidates);
    reject_others(tree, config::name(IngestLayout::Champ), found);
  } else {
    add_footage(tree, found);
  }
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
  if (job.layout == IngestLayout::Auto) return discover_by_looking(input);
  if (job.layout == IngestLayout::Moore) return discover_moore(input);
  if (job.layout == IngestLayout::Manifest)
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{} is a folder; name the manifest file", input.string()));
  Discovery found;
  const Tree tree = look_below(input, found);
  if (job.layout == IngestLayout::Champ) {
    add_champ(tree, found);
  } else {
    add_footage(tree, found);
  }
  return found;
}

}  // namespace zt::data::ingest_internal
