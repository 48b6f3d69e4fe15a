// SPDX-License-Identifier: Apache-2.0
// The worker's verbs that have a run folder: train, import. One launch of a run, from its folder to its exit
// code.
#pragma once

#include "base/error.hpp"
#include "contract/worker_call.hpp"

namespace zt::worker {

/// Exit code 0 when the run is complete, kExitResumable when it stopped on request. How it ended is in
/// the run's events, errors included. Errors: Unavailable if another process writes the run; those of
/// training, or of train::import_weights.
Result<int> run_launch(const contract::WorkerCall& call);

}  // namespace zt::worker
