// SPDX-License-Identifier: Apache-2.0
// The part of `zoetrope eval` that needs networks: generates the clips of an index's splits from a run and
// measures them against the truth. Videos that exist already are judged by data/eval/files.hpp, without
// libtorch.
#pragma once

#include <string>

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"
#include "generate/hooks.hpp"

namespace zt::generate {

/// Generates every chosen clip with its own reference (the clip's first frame; the frames after it are
/// judged) and, if asked, with another character's and from a baseline run; also scores copying the reference
/// and what the codec alone loses. Writes to job.output (RUN/eval without it) one video a clip, reference |
/// pose | generated | truth (| baseline), and eval.json. Returns the report as one line of JSON for standard
/// output (data/eval/report.hpp). Errors: InvalidArgument if job.run or job.index is empty or the splits hold
/// no clip; those of the readers; Cancelled.
Result<std::string> run_eval(const config::EvalJob& job, const Hooks& hooks = {});

}  // namespace zt::generate
