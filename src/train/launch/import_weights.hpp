// SPDX-License-Identifier: Apache-2.0
// Files of weights as a run: what `zoetrope ckpt import` computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "train/journal/journal.hpp"

namespace zt::train {

/// Writes the networks that `job.model` names into the run as the verified checkpoint of `step`, with a fresh
/// optimizer and averages that begin at the weights, so that the run can be resumed, exported and generated
/// with. Every network and both encoders must come from files, motion modules too in stage 2; the encoders
/// stay where they are. `journal` is told. Errors: InvalidConfig names the key that is missing; those of the
/// readers; Exhausted before any work if memory or disk can't hold it.
Status import_weights(const config::TrainJob& job, const contract::RunFolder& run, int64_t generation,
                      int64_t step, at::Device device, Journal& journal);

}  // namespace zt::train
