// SPDX-License-Identifier: Apache-2.0
// Where the networks of a stage-2 run begin: the weights of a stage-1 run.
#pragma once

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "params/param_store.hpp"

namespace zt::train {

/// Who of a run's ranks begins.
enum class Starter {
  First,  ///< the first rank, before the others: takes the best checkpoint, and leaves its name in the run
  After,  ///< another one, or a rank that starts again alone: takes the checkpoint of that name
};

/// Copies the weights of model.stage1_run over those of `store`. Which checkpoint is best there changes while
/// that run trains on, but all ranks of this one must begin from the same, also one that is started again
/// before this run has a checkpoint: the first rank's choice is kept (RunFolder::stage1_checkpoint()). The
/// first rank chooses anew where what was kept is gone. Errors: those of copy_run_weights(); InvalidConfig if
/// that run lacks more than motion modules.
Status copy_stage1(const config::TrainJob& job, const contract::RunFolder& run, Starter starter,
                   params::ParamStore& store);

}  // namespace zt::train
