// SPDX-License-Identifier: Apache-2.0
// The first step of ingest: which videos there are, and which files belong to each. Nothing is opened but
// lists.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"
#include "data/ingest/ingest.hpp"

namespace zt::data::ingest_internal {

/// A video as the layout names it. Paths are usable as they stand; a path that was named but isn't there
/// stays named.
struct Candidate {
  std::string name;   ///< relative path without ending; the clip's id and split come from it
  std::string where;  ///< for messages: path, or "list.csv:3"
  std::filesystem::path video, pose, keypoints, mask, labels, background;
  std::string split;  ///< "" = not named
  int64_t character = -1;
  int64_t motion = -1;
};

struct Discovery {
  std::vector<Candidate> candidates;  ///< sorted by name, lists in their own order
  std::vector<Finding> rejects;       ///< entries and files that should be a video's, and are not
  std::vector<Finding> unread;        ///< folders and lists that can't be read: rejects of unknown number
};

/// Errors: NotFound if there is no such input; InvalidArgument if it does not have the layout that the job
/// names; the first list's error if the job says Moore and no list can be read.
Result<Discovery> discover(const config::IngestJob& job);

/// A list: CSV with a header line, JSON Lines, or a JSON list as Moore's *_meta.json; by the file's ending.
/// Relative paths are tried below the list's folder, then the working folder. A video that is at neither
/// place, or no longer at its absolute path, is looked for below the list's folder without its leading parts
/// (a data set that was moved), and what belongs to it without as many. Errors: Corrupt if it is no such list
/// at all; single bad entries are rejects.
Result<Discovery> read_list(const std::filesystem::path& path);

}  // namespace zt::data::ingest_internal
