// SPDX-License-Identifier: Apache-2.0
// Settings of a job that its other settings leave without effect: no mistake for sure, but who made them
// may count on them.
#pragma once

#include <string>
#include <vector>

#include "config/job/generate_job.hpp"
#include "config/job/train_job.hpp"
#include "config/load.hpp"

namespace zt::config {

/// A line each: "checkpoint.memory_peer: true has no effect with checkpoint.memory_every_steps: 0".
std::vector<std::string> idle_settings(const TrainJob& job);
std::vector<std::string> idle_settings(const GenerateJob& job);
/// Also whole keys that somebody wrote, in one line: "index, splits have no effect with results".
std::vector<std::string> idle_settings(const Resolved<GenerateJob>& resolved);
std::vector<std::string> idle_settings(const Resolved<EvalJob>& resolved);

}  // namespace zt::config
