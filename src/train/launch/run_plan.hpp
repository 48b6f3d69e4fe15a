// SPDX-License-Identifier: Apache-2.0
// Plans as text: of a job as JSON (the worker's verb `plan`), of a launch as one line. Reads configurations,
// no weights.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "train/launch/setup.hpp"

namespace zt::train {

/// One line of JSON: docs/plan.md. `machine`: see find_machine(). Errors: those of the model's config.json
/// files and of the machine's name.
Result<std::string> run_plan(const config::TrainJob& job, int64_t ranks, std::string_view machine);

/// What a launch will take, in one line for its log. Errors: those of the model's
/// config.json files.
Result<std::string> launch_plan(const Setup& setup);

}  // namespace zt::train
