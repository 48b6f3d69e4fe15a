// SPDX-License-Identifier: Apache-2.0
// One save, for those who write its parts.
#pragma once

#include <atomic>
#include <cstdint>

#include "checkpoint/saver.hpp"
#include "contract/checkpoint_folder.hpp"

namespace zt::checkpoint::internal {

struct Save {
  const SaverOptions& options;
  contract::CheckpointFolder& checkpoints;  ///< of options.folder
  int64_t number;                           ///< counts the saves of this launch, the same on all ranks
  const Snapshot& snapshot;                 ///< its tensors are contiguous and on the CPU
  const std::atomic<bool>&
      is_called_off;  ///< the tensors may have changed since: what was written is no state
};

}  // namespace zt::checkpoint::internal
