// SPDX-License-Identifier: Apache-2.0
// Clips that no rank may read because they ended ranks (contract/left_out.hpp).
#pragma once

#include "base/error.hpp"
#include "contract/run_folder.hpp"

namespace zt::train {

struct Setup;

/// Adds the clips of the run's left-out.json, as the first rank reads it, to those that the cursor leaves
/// out. Every rank calls it. Errors: those of the file, on every rank; those of the ranks.
Status leave_out_deadly_clips(Setup& setup, const contract::RunFolder& run);

}  // namespace zt::train
