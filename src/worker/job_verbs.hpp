// SPDX-License-Identifier: Apache-2.0
// The worker's verbs that take a job file: generate, eval, cache, export, plan.
#pragma once

#include "base/error.hpp"
#include "contract/worker_call.hpp"

namespace zt::worker {

/// Does the job and prints its result, one line of JSON, on standard output. Exit code 0, kExitResumable when
/// it was stopped on request. Errors: those of the job file and of the work.
Result<int> run_job(const contract::WorkerCall& call);

}  // namespace zt::worker
