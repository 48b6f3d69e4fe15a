// SPDX-License-Identifier: Apache-2.0
// The whole of `zoetrope generate`: files in, mp4 files out. The worker calls this; everything it needs is in
// the job.
#pragma once

#include <string>

#include "base/error.hpp"
#include "config/job/generate_job.hpp"
#include "generate/hooks.hpp"

namespace zt::generate {

/// Animates job.reference_image by job.pose and writes the videos. Memory and disk are checked first, with
/// the arithmetic. The videos appear under their names only when complete; their metadata holds seed, weights
/// digest and settings. Returns one line of JSON for standard output: {"output", "panels", "frames", "width",
/// "height", "fps", "seed", "weights", "weights_digest", "seconds"}. Errors: those of the inputs' readers;
/// Exhausted before any work if it can't fit; Cancelled when stopped.
Result<std::string> run_generate(const config::GenerateJob& job, const Hooks& hooks = {});

}  // namespace zt::generate
