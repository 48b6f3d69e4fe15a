// SPDX-License-Identifier: Apache-2.0
// Everything that ingest finds out about one video.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/job/data_tools_job.hpp"
#include "data/clip_index.hpp"
#include "data/ingest/ingest.hpp"
#include "data/ingest/internal/candidate.hpp"
#include "data/ingest/pose_estimator.hpp"

namespace zt::data::ingest_internal {

/// How far a video came, its clips (no split chosen yet, ids unique within the video), and what is to be
/// said.
struct Outcome {
  bool is_probed = false;
  bool is_decoded = false;
  bool has_pose = false;
  std::vector<ClipRecord> clips;
  std::vector<Finding> rejects;
  std::vector<Finding> remarks;
};

/// Whether the same files would have the same outcome again: nothing in it may pass.
bool is_final(const Outcome& outcome);

struct Examination {
  const config::IngestJob& job;
  std::filesystem::path folder;  ///< of the index: records are relative to it
  const PoseEstimator& estimator;
};

/// `id`: unique among the candidates and safe in file names.
Outcome examine(const Candidate& candidate, const std::string& id, const Examination& how);

}  // namespace zt::data::ingest_internal
