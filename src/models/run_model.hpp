// SPDX-License-Identifier: Apache-2.0
// What a run's folder says about its networks: the frozen configuration, and where its encoders lie.
#pragma once

#include <filesystem>

#include "base/error.hpp"
#include "config/job/model_job.hpp"
#include "config/job/train_job.hpp"

namespace zt::models {

/// Folders of a run that made its own encoders.
inline constexpr const char* kRunCodec = "codec";
inline constexpr const char* kRunImageEncoder = "image_encoder";

/// The run's frozen configuration, newest attempt's values. Errors: those of opening the run and its yaml.
Result<config::TrainJob> run_config(const std::filesystem::path& run);

/// `job` with vae_model_path and image_encoder_path as `run` finds them, each the first of: the folder in
/// `run` ("" = no run), the one in job.stage1_run, the job's own path, the path that the stage-1 run was
/// given. Left empty where nothing is found and there is no stage-1 run. Errors: InvalidConfig if there is
/// one: its networks know only its own encoders, so new ones would be worthless; those of run_config().
Result<config::ModelJob> locate_encoders(const std::filesystem::path& run, const config::ModelJob& job);

}  // namespace zt::models
