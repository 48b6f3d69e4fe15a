// SPDX-License-Identifier: Apache-2.0
// Plans as text: of a job as JSON (the worker's verb `plan`), of a launch as one line. Reads configurations,
// no weights.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "train/launch/setup.hpp"

namespace zt::train {

/// What `zoetrope plan` shows, as JSON on one line (docs/plan.md). `machine`: see find_machine(). Errors:
/// those of the model's config.json files and of the machine's name.
Result<std::string> run_plan(const config::TrainJob& job, int64_t ranks, std::string_view machine);

/// What a launch will take, in some lines for its log, before anything large is loaded; without the units
/// that parallel.keep_whole_if_faster will keep, whose speeds are measured later. Requires: the setup's
/// data is open. `keeps_snapshots`: where there is room. Errors: those of the model's config.json files.
Result<std::string> launch_plan(const Setup& setup, const contract::RunFolder& run, bool keeps_snapshots);

}  // namespace zt::train
