// SPDX-License-Identifier: Apache-2.0
// Writes one checkpoint so that a crash between any two system calls leaves a loadable one.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/internal/save.hpp"

namespace zt::checkpoint::internal {

/// Writes the snapshot, reads it back and only then gives it its name. Returns the bytes written. Errors: as
/// SaveResult::status; the folder then holds what it held before.
Result<uint64_t> commit(const Save& save);

/// Tells the other ranks, which wait for this one's part or for its folder, that nothing comes.
void call_off(const Save& save, const Error& why);

/// Removes what retention no longer wants now that `verified_step` reads back. Returns the steps removed;
/// what can't be removed is logged and tried again by the next save.
std::vector<int64_t> prune(contract::CheckpointFolder& checkpoints, const Retention& retention,
                           int64_t verified_step);

}  // namespace zt::checkpoint::internal
