// SPDX-License-Identifier: Apache-2.0
// The whole of `zoetrope ckpt export`: a run's checkpoint in, a folder that other programs read out. The
// worker calls this.
#pragma once

#include <string>

#include "base/error.hpp"
#include "config/job/export_job.hpp"
#include "generate/hooks.hpp"

namespace zt::generate {

/// Writes the networks of job.run into job.output, which appears whole or not at all. Memory and disk are
/// checked first. Returns one line of JSON: {"output", "layout", "parts" (names in the folder), "bytes",
/// "weights", "weights_digest"}. Errors: AlreadyExists if the output is there and not an empty folder; those
/// of load_run and models::export_networks; Exhausted before any work if it can't fit; Cancelled when
/// stopped.
Result<std::string> run_export(const config::ExportJob& job, const Hooks& hooks = {});

}  // namespace zt::generate
