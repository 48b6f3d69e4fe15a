// SPDX-License-Identifier: Apache-2.0
// What the launcher writes into a run's events: faults that it has found itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "contract/events.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {

/// Into a file of their own: the ranks' events are the first rank's to write. `writer` names it, and is used
/// once in a generation, e.g. "hang-rank1". Evidence only: nothing is said where it can't be written.
void write_faults(const contract::RunFolder& run, int64_t generation, const std::string& writer,
                  std::span<const contract::FaultFound> faults);

}  // namespace zt::cli
