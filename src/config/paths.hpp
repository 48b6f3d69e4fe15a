// SPDX-License-Identifier: Apache-2.0
// The files and folders that a job names. A run's configuration holds them absolute, so that it
// means the same from every working folder, and they follow when a run is moved together with its data.
#pragma once

#include <filesystem>

#include "base/error.hpp"
#include "base/files/run_places.hpp"
#include "config/job/train_job.hpp"
#include "config/load.hpp"

namespace zt::config {

/// Relative paths become absolute ones that start at `base`; empty ones stay empty.
void make_paths_absolute(TrainJob& job, const std::filesystem::path& base);

/// Errors: InvalidConfig unless the job names an index or lists of clips.
Status require_data(const DataJob& job);

/// NotFound for the first input that is not there, with its key and the origin of its value.
Status check_inputs(const Resolved<TrainJob>& resolved);
/// The same of what the job's other settings let it read: with `run` no single files of networks.
Status check_inputs(const Resolved<GenerateJob>& resolved);

/// Whether a file of poses holds key-points, told by its first byte, and not pictures of drawn poses.
bool holds_keypoints(const std::filesystem::path& poses);

/// Encoders never train, so a random one is no start. InvalidConfig, naming the key, if the codec would be a
/// random VAE, or the image encoder random beside a base model, unless model.allow_random_start. Accepted
/// without a path: a linear codec, which is fitted to the data; a random image encoder in a training from
/// nothing; what stage1_run brings.
Status require_encoders(const ModelJob& model);

/// A path that is gone, but is there in the moved folder, becomes that one: after `mv old new`, a run that
/// was made as old/runs/a and lies in new/runs/a finds old/index.jsonl in new/index.jsonl.
void follow_move(TrainJob& job, const RunPlaces& run);

/// thaw() of a run's configuration, its paths as they are now.
Result<TrainJob> thaw_run(const std::filesystem::path& file, const RunPlaces& run);

}  // namespace zt::config
