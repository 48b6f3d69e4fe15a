// SPDX-License-Identifier: Apache-2.0
// Fills the cache before anyone trains: every frame of every clip, as training would ask for it. Where crops
// are random, and not one of data.crop_variants, it holds the image embeddings alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"
#include "data/sample/sample_plan.hpp"
#include "prepare/sample_encoder.hpp"

namespace zt::prepare {

struct BuildOptions {
  size_t num_threads = 1;
  int64_t batch_frames = 8;  ///< decoded at once per thread: bounds the memory
  /// Clips done, clips in all; never called concurrently. May be empty.
  std::function<void(int64_t done, int64_t total)> progress = {};
  std::function<bool()> should_stop = {};  ///< may be empty
};

struct BuildReport {
  int64_t clips = 0;
  int64_t encoded = 0;  ///< moments and embeddings that were not there before
  int64_t broken = 0;   ///< clips that could not be read: named in the log
};

/// Encodes what is missing of all clips of the encoder's index. Errors: Cancelled; what is no fault of a clip
/// (data::is_fault_of_clip); never a single bad clip.
Result<BuildReport> build_cache(const SampleEncoder& encoder, const data::SamplePlanOptions& plan,
                                const BuildOptions& options);

/// `zoetrope data cache`: opens what the job names and fills its cache. Returns one line of JSON: {"clips",
/// "encoded", "broken", "bytes"}. Errors: InvalidConfig if an encoder has no path (only a training run can
/// make one); the first failure's if entries could not be kept; those of reading.
Result<std::string> run_cache(const config::CacheJob& job, const BuildOptions& options);

}  // namespace zt::prepare
