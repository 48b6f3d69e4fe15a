// SPDX-License-Identifier: Apache-2.0
// What a generation or its judging takes from the run or the folder whose networks it uses, where nobody said
// otherwise.
#pragma once

#include "base/error.hpp"
#include "config/load.hpp"

namespace zt::cli {

/// Size of the pictures, length of the windows, sampling and drawing of poses, with their origins; notes say
/// what was taken. Requires: job.run is a path. A run that can't be read changes nothing: its worker explains
/// that. Errors: those of config::take_size() and fit_context().
Status take_run_defaults(config::Resolved<config::GenerateJob>& resolved);
/// The same, and the noise schedule, of what files in the folder of weights say. Requires: job.weights is a
/// path. Errors: those of config::take_scheduler(), read_trained_as(), take_size() and fit_context().
Status take_weights_defaults(config::Resolved<config::GenerateJob>& resolved);
/// The sampling; the rest follows the run whatever the job says.
Status take_run_defaults(config::Resolved<config::EvalJob>& resolved);

}  // namespace zt::cli
