// SPDX-License-Identifier: Apache-2.0
// Takes a snapshot's tensors out of the way of the next step.
#pragma once

#include <optional>

#include "checkpoint/saver.hpp"

namespace zt::checkpoint::internal {

/// Whether there is memory for the copies and a little more.
bool has_room(const Snapshot& snapshot);

/// Contiguous copies on the CPU, in one mapping that is given back with the last of them; views of the frozen
/// tensors. Nothing if there is no memory.
std::optional<Snapshot> copied(const Snapshot& snapshot);

/// The same without copying what is contiguous and on the CPU already: views of the live tensors.
Snapshot viewed(const Snapshot& snapshot);

}  // namespace zt::checkpoint::internal
