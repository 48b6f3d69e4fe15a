// SPDX-License-Identifier: Apache-2.0
// The groups that a run's ranks exchange in. With hybrid sharding (HSDP; Zhao et al. 2023, "PyTorch FSDP")
// neighbours share one copy of the state, and ranks of the same place in each copy sum their parts'
// gradients: what crosses between copies is 1/S of the gradients, whatever the ZeRO stage.
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "dist/communicator.hpp"
#include "dist/group.hpp"

namespace zt::train {

struct RankGroups {
  std::unique_ptr<dist::Communicator> world;  ///< null: one rank. Exchanges numbers, on the CPU
  /// All ranks, for tensors on a GPU; null: on the CPU `world` exchanges them too.
  std::unique_ptr<dist::Communicator> gpus;
  /// The ranks of one copy; null: all.
  std::unique_ptr<dist::Communicator> copy;
  /// The ranks that have the same part as this one, one of each copy; null: no other.
  std::unique_ptr<dist::Communicator> replicas;
};

/// The others of `world`, which `options` formed, with tensors on options.device. `copy_ranks`: ranks that
/// share one copy, a divisor of the world's size (config::check_ranks); 0: all. Errors: those of
/// form_group().
Result<RankGroups> form_groups(std::unique_ptr<dist::Communicator> world, const dist::GroupOptions& options,
                               int64_t copy_ranks, clock::Deadline deadline);

}  // namespace zt::train
