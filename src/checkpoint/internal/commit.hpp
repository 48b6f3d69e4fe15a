// SPDX-License-Identifier: Apache-2.0
// Writes one checkpoint so that a crash between any two system calls leaves a loadable one.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "checkpoint/saver.hpp"

namespace zt::checkpoint::internal {

/// Writes `snapshot`, whose tensors are contiguous and on the CPU, reads it back and only then gives it its
/// name. `save`: counts the saves of this launch, the same on all ranks. Returns the bytes written. Errors:
/// as SaveResult::status; the folder then holds what it held before.
Result<uint64_t> commit(const SaverOptions& options, int64_t save, const Snapshot& snapshot);

/// Removes what retention no longer wants now that `verified_step` reads back. Returns the steps removed;
/// what can't be removed is logged and tried again by the next save.
std::vector<int64_t> prune(const SaverOptions& options, int64_t verified_step);

}  // namespace zt::checkpoint::internal
