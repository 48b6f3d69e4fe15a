// SPDX-License-Identifier: Apache-2.0
// Where the networks of a stage-2 run begin: the weights of a stage-1 run.
#pragma once

#include <string>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "params/param_store.hpp"

namespace zt::train {

/// Which checkpoint of model.stage1_run this run begins from: the best one that is whole. What is best there
/// changes while that run trains on, but all ranks of this one must begin from the same, also one that is
/// started again before this run has a checkpoint. So the first rank chooses, and its choice is kept
/// (RunFolder::stage1_checkpoint()); where what was kept is gone or damaged, it chooses anew. Returns the
/// name. Errors: those of checkpoint::open_best() and of writing it down.
Result<std::string> choose_stage1(const config::TrainJob& job, const contract::RunFolder& run);
/// What was chosen. Errors: NotFound.
Result<std::string> chosen_stage1(const contract::RunFolder& run);

/// Copies the weights of that checkpoint over those of `store`. Errors: those of copy_run_weights();
/// InvalidConfig if the run lacks more than motion modules.
Status copy_stage1(const config::TrainJob& job, const std::string& checkpoint, params::ParamStore& store);

}  // namespace zt::train
