// SPDX-License-Identifier: Apache-2.0
// What a job file says about data, in this folder's own terms: the same for training, cache building and
// validation.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "config/job/data_job.hpp"
#include "data/clip_index.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "data/sample/load_sample.hpp"
#include "data/sample/sample_plan.hpp"

namespace zt::data {

/// The clips of the job's splits, from its index or else its meta lists.
/// Errors: InvalidConfig if the job names neither or the splits hold no clip; those of reading.
Result<ClipIndex> open_clips(const config::DataJob& job);

/// Stage 1 draws single pictures, stage 2 clips. With CropMode::PerStream the size of stage 1 is transposed,
/// as the reference passes (width, height) where torchvision takes (height, width). Requires: stage 1 or 2.
SamplePlanOptions plan_options(const config::DataJob& job, int64_t stage, uint64_t seed);

/// How a job wants key-points drawn.
DrawOptions draw_options(const config::PoseDrawing& job);

/// Size, drawing, memory bound and frame tables for loading samples of that plan; the parts wanted are the
/// caller's to set. Copies share bound and tables: make the options once for all that loads at the same time.
LoadSampleOptions load_options(const config::DataJob& job, const SamplePlanOptions& plan);

/// Threads that load samples.
size_t decode_threads(const config::DataJob& job);

}  // namespace zt::data
