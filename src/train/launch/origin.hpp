// SPDX-License-Identifier: Apache-2.0
// What a launch goes on from: the newest step that every rank finds in its own memory or in that of the
// neighbour that holds its copies; else the newest checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/peer_tier.hpp"
#include "checkpoint/reader.hpp"
#include "train/ranks/ranks.hpp"

namespace zt::train {

struct Origin {
  const checkpoint::Memory& memory;
  std::optional<int64_t> memory_step;  ///< held there by this rank now; nothing: from disk
  bool is_restart = false;             ///< after ranks were lost: this launch's budget was checked before
  /// Of a memory_step, by rank: who held it, the rank itself where it did.
  std::vector<int64_t> holders = {};
};

/// Agrees on the step; ranks that lack it get it from their holders. A whole checkpoint of a later
/// step is preferred: snapshots may be rarer than saves, or have stopped. Errors: those of Ranks.
Result<Origin> agree_on_origin(Ranks& ranks, checkpoint::Memory& memory,
                               const std::filesystem::path& checkpoints, bool is_restart);

/// The newest checkpoint that all ranks find whole, each its share of the files; nothing if there is none at
/// all. Each rank looks into the run's folder for itself, and one whose host has an old view of it (NFS)
/// would go on from another step than the rest. Errors: Unavailable, on all of them, if what they see
/// differs; those of open_newest() and Ranks.
Result<std::optional<checkpoint::Found>> open_together(Ranks& ranks,
                                                       const std::filesystem::path& checkpoints);

/// "ranks 0-2 memory, rank 3 peer (held by rank 1)".
std::string text_of_holders(const std::vector<int64_t>& holders);

}  // namespace zt::train
