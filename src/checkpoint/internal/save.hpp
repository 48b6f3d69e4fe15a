// SPDX-License-Identifier: Apache-2.0
// One save, for those who write its parts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "checkpoint/saver.hpp"
#include "contract/checkpoint_folder.hpp"

namespace zt::checkpoint::internal {

struct Save {
  const SaverOptions& options;
  contract::CheckpointFolder& checkpoints;  ///< of options.folder
  int64_t number;                           ///< counts the saves of this launch, the same on all ranks
  const Snapshot& snapshot;                 ///< its tensors are contiguous and on the CPU
  /// The tensors may have changed since: what was written is no state.
  const std::atomic<bool>& is_called_off;
  /// To be called as soon as the tensors are not read any more, but for the frozen ones.
  std::function<void()> let_go;
};

}  // namespace zt::checkpoint::internal
