// SPDX-License-Identifier: Apache-2.0
// Writes puppet clips as real files in Moore-AnimateAnyone's layout: H.264 mp4 pairs in clips/ and
// clips_dwpose/, beside them key-points, masks, part labels and clean backgrounds, and one meta list per
// split. What comes out is read by `data ingest` like any other data set. Layout: docs/formats/synth.md.
#pragma once

#include <cstdint>
#include <functional>

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"

namespace zt::data {

struct SynthReport {
  int64_t clips = 0;  ///< in the data set, kept ones included
  int64_t kept = 0;   ///< were there already
  int64_t frames = 0;
  int64_t bytes = 0;  ///< of all files of the clips
  double seconds = 0;
};

/// Clips done, clips in all. Called from any thread, never concurrently.
using SynthProgress = std::function<void(int64_t done, int64_t total)>;

/// Deterministic per job (thread count and machine load do not matter). A clip whose files are all there is
/// kept, so an interrupted call can be repeated; another job's folder is an error. Errors: InvalidArgument
/// for values out of range, AlreadyExists if the folder holds something else, Exhausted if the disk can't
/// hold it (estimated before anything is written), media errors.
Result<SynthReport> synth(const config::SynthJob& job, const SynthProgress& progress = {});

}  // namespace zt::data
