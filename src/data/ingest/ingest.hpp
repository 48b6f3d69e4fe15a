// SPDX-License-Identifier: Apache-2.0
// From a folder or manifest of real videos to an index: finds the clips, probes and decodes them, splits them
// at shot cuts, checks their poses, and says what was left out and why. Bad input never stops it: each is
// named, counted and skipped, unless `strict`. An interrupted ingest continues where it stopped, and a
// repeated one looks only at files that changed (docs/formats/ingest.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"
#include "data/ingest/pose_estimator.hpp"

namespace zt::data {

/// Something to say about one input. The reason is a stable word of docs/formats/ingest.md,
/// "frame-count-mismatch".
struct Finding {
  std::string what;  ///< path, or manifest line
  std::string reason;
  std::string detail;  ///< for people
  ErrorCode code = ErrorCode::Corrupt;
  /// It says nothing about the footage: no permission, a disk that errs, too little memory, a stop. A later
  /// call may find otherwise.
  bool may_pass() const;
  bool operator==(const Finding&) const = default;
};

struct IngestReport {
  std::filesystem::path index;
  int64_t found = 0;      ///< videos named by the layout
  int64_t opened = 0;     ///< opened as video or folder of pictures
  int64_t decoded = 0;    ///< all frames read, none damaged
  int64_t with_pose = 0;  ///< have a matching pose
  int64_t unchanged = 0;  ///< taken over from an earlier call
  int64_t clips = 0;      ///< in the index; shots count
  int64_t frames = 0;
  /// Folders and lists that can't be read, then videos and shots that are not in the index, in the layout's
  /// order.
  std::vector<Finding> rejects;
  std::vector<Finding> remarks;  ///< about clips that are

  std::map<std::string, int64_t> reasons() const;  ///< rejects per reason
  /// The funnel: found -> opened -> decoded -> with pose -> clips, then rejects and remarks by reason with
  /// examples.
  std::string text() const;
  /// All of it on one line (docs/formats/ingest.md).
  std::string json() const;
};

/// Videos done, videos in all, and the one just finished. Never called concurrently.
using IngestProgress = std::function<void(int64_t done, int64_t total, const std::string& name)>;

/// Where ingest() writes: the job's output folder, or INPUT/.zoetrope.
std::filesystem::path ingest_folder(const config::IngestJob& job);

/// Writes FOLDER/index.jsonl atomically at the end; key-points that it makes are FOLDER/keypoints/ID.jsonl. A
/// video without a pose is given to the estimator, kept without if the job's extract_pose is false, and
/// rejected otherwise. Errors: NotFound or InvalidArgument if the input is not what the job says, or has not
/// one usable clip; in strict mode the first reject (Corrupt, or the code of what may pass); Exhausted where
/// this process has too little of memory, descriptors or disk, and Cancelled once a stop is requested (what
/// was found out until then is kept); never a single bad file otherwise.
Result<IngestReport> ingest(const config::IngestJob& job, const PoseEstimator& estimator = {},
                            const IngestProgress& progress = {});

}  // namespace zt::data
