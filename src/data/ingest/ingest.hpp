// SPDX-License-Identifier: Apache-2.0
// From a folder or manifest of real videos to an index: finds the clips, probes and decodes them, splits them at shot
// cuts, checks their poses, and says what was left out and why. Bad input never stops it: each is named, counted and
// skipped, unless `strict`. An interrupted ingest continues where it stopped (a journal beside the index).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "data/ingest/pose_estimator.hpp"

namespace zt::data {

/// How the input is laid out. Auto looks for, in this order: a *_meta.json or NAME + NAME_dwpose, Champ's frame folders
/// (images/ beside dwpose/), else plain footage.
enum class Layout { Auto, Moore, Champ, Manifest, Footage };

struct IngestOptions {
  std::filesystem::path input;   ///< folder, *_meta.json, .csv or .jsonl
  std::filesystem::path output;  ///< index file; key-points that are made go to a folder beside it
  Layout layout = Layout::Auto;
  bool strict = false;           ///< the first reject is an error
  bool decode_all = true;        ///< decode every frame (finds corrupt ones); false trusts the container's count
  bool split_shots = true;       ///< cut a clip at shot changes
  double cut_threshold = 0.35;   ///< ShotDetector's, in [0,1]
  int64_t min_frames = 8;        ///< shorter clips and shots are rejected
  int min_short_side = 32;       ///< pixels
  double min_fps = 1;
  double max_fps = 240;
  double min_pose_share = 0.8;   ///< share of frames in which the primary person must be seen
  int max_people = 0;            ///< more people in any frame reject the clip; 0 = any number
  std::string split = "train";   ///< of clips whose layout names none
  double val_share = 0;          ///< share of the clips without a named split that goes to "val-a", by digest of its path
  size_t num_threads = 0;        ///< 0 = all cores
};

/// Why something was left out; the name is stable ("frame-count-mismatch").
struct Reject {
  std::string what;    ///< path, or manifest line
  std::string reason;  ///< stable word
  std::string detail;  ///< for people
};

struct IngestReport {
  int64_t found = 0;           ///< videos named by the layout
  int64_t probed = 0;          ///< opened as video
  int64_t decoded = 0;         ///< all frames read
  int64_t with_pose = 0;       ///< have a matching pose
  int64_t resumed = 0;         ///< taken from an earlier, interrupted call
  int64_t clips = 0;           ///< in the index (shots count)
  int64_t frames = 0;
  std::vector<Reject> rejects;
  std::map<std::string, int64_t> reasons;  ///< count per reason
  /// The funnel as text: found -> probed -> decoded -> with pose -> clips, and the rejects by reason.
  std::string text() const;
};

/// Videos done, videos in all, and the one just finished. Never called concurrently.
using IngestProgress = std::function<void(int64_t done, int64_t total, const std::string& name)>;

/// Writes the index atomically at the end. Errors: NotFound or InvalidArgument if the input is not what it says; in
/// strict mode the first reject; never a single bad file otherwise. An input without one usable clip is an error.
Result<IngestReport> ingest(const IngestOptions& options, const PoseEstimator& estimator = {},
                            const IngestProgress& progress = {});

}  // namespace zt::data
