// SPDX-License-Identifier: Apache-2.0
// Which checkpoints of a run are kept, and how one is removed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "contract/checkpoint_folder.hpp"

namespace zt::checkpoint {

struct Retention {
  int64_t keep_last = 2;    ///< newest ones; at least 1 is kept
  int64_t keep_best = 1;    ///< lowest metric "val_loss", beside the newest
  int64_t keep_epochs = 0;  ///< newest with a metric "epoch", beside those
};

/// Newest first: by generation, then step. After a run went back to an earlier step, the steps of the
/// abandoned launch come behind those of the later one.
std::vector<contract::CheckpointEntry> newest_first(std::vector<contract::CheckpointEntry> entries);

/// Those that were validated and are not defective, lowest "val_loss" first, of equal ones the newest.
std::vector<contract::CheckpointEntry> best_first(std::vector<contract::CheckpointEntry> entries);

/// The entries to remove. Never `verified_step`, the newest checkpoint known to read back, and never a
/// defective one: that is evidence for a person.
std::vector<contract::CheckpointEntry> expendable(std::vector<contract::CheckpointEntry> entries,
                                                  const Retention& retention, int64_t verified_step);

/// Removes a checkpoint's folder, its manifest first, so that one that is half removed is not taken for
/// whole.
Status remove_checkpoint(const std::filesystem::path& folder);

/// Removes what crashes left in `checkpoints`: unfinished saves (base/files/temporary.hpp) and half removed
/// ones (no manifest).
Status remove_leftovers(contract::CheckpointFolder& checkpoints);

}  // namespace zt::checkpoint
