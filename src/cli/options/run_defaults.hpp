// SPDX-License-Identifier: Apache-2.0
// What a generation takes from the run whose networks it uses, where nobody said otherwise.
#pragma once

#include "base/error.hpp"
#include "config/load.hpp"

namespace zt::cli {

/// Size of the pictures and length of the windows, with their origins; notes say what was taken. Requires:
/// job.run is a path. A run that can't be read changes nothing: its worker explains that. Errors: those of
/// config::fit_context().
Status take_run_defaults(config::Resolved<config::GenerateJob>& resolved);

}  // namespace zt::cli
