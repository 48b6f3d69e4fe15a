// SPDX-License-Identifier: Apache-2.0
// diffusers' scheduler/scheduler_config.json in a folder of weights: the noise schedule that they were
// trained with, and what they predict. Networks of another schedule than they are told make noise, without an
// error.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "config/job/schedule_job.hpp"
#include "config/load.hpp"

namespace zt::config {

/// Where the file lies in a folder of weights.
std::filesystem::path scheduler_file(const std::filesystem::path& folder);

/// The file as diffusers' DDIMScheduler writes it.
std::string scheduler_json(const ScheduleJob& schedule, TimestepSpacing spacing);

/// Gives a GenerateJob or TrainJob what the folder's file says of schedule.* and timestep_spacing
/// (validation.timestep_spacing), where nobody wrote these, nor asked for compat: moore's. What the file
/// leaves out has diffusers' default; without the file nothing changes. Errors: InvalidConfig with
/// file:line:column for values that are not built, and where the job is no longer valid.
template <class Job>
Status take_scheduler(const std::filesystem::path& folder, Resolved<Job>& resolved);

}  // namespace zt::config
