// SPDX-License-Identifier: Apache-2.0
// `zoetrope-worker train`: one launch of a run, from its folder to its exit code.
#pragma once

#include "base/error.hpp"
#include "contract/worker_call.hpp"

namespace zt::worker {

/// Exit code 0 when the run is complete, kExitResumable when it stopped on request. How it ended stands in
/// the run's events, errors included. Errors: Unavailable if another process writes the run; those of
/// training.
Result<int> run_train(const contract::WorkerCall& call);

}  // namespace zt::worker
