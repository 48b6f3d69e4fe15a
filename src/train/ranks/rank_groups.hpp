// SPDX-License-Identifier: Apache-2.0
// The groups that a run's ranks exchange in. With hybrid sharding (HSDP; Zhao et al. 2023, "PyTorch FSDP")
// neighbours share one copy of the state, and ranks of the same place in each copy sum their parts'
// gradients: what crosses between copies is 1/S of the gradients, whatever the ZeRO stage.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "config/job/train_job.hpp"
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
  /// Of this rank and its holder, and of this rank and the one that it is the holder of
  /// (checkpoint/peer_tier.hpp); null: snapshots are not passed on.
  std::unique_ptr<dist::Communicator> to_holder, from_ward;
};

/// The others of `world`, which `options` formed, with tensors on options.device. `copy_ranks`: ranks that
/// share one copy, a divisor of the world's size (config::check_ranks); 0: all. Errors: those of
/// form_group().
Result<RankGroups> form_groups(std::unique_ptr<dist::Communicator> world, const dist::GroupOptions& options,
                               int64_t copy_ranks, clock::Deadline deadline);

/// Who holds whose snapshots beside the rank itself.
struct PeerRule {
  int64_t ranks = 1;
  /// The holder of rank r is (r + distance) % ranks; 0: nobody has one.
  int64_t distance = 0;
  /// The holder has the same part of the state: its own snapshot serves, and none is passed on.
  bool are_twins = false;

  int64_t holder(int64_t rank) const { return (rank + distance) % ranks; }
  int64_t ward(int64_t rank) const { return (rank + ranks - distance) % ranks; }
  /// An order of all pairs in which a rank that takes part in two never waits in a circle of ranks: first the
  /// owners on even hosts, so that most pairs are at it at once.
  std::pair<int64_t, int64_t> place(int64_t owner) const { return {owner / distance % 2, owner}; }
};
/// On another host where there are several with equally many ranks; of the ranks that have the same part,
/// with copies of the state (HSDP, or ZeRO stage 0).
PeerRule peer_rule(std::span<const dist::Member> members, const config::ParallelJob& job);

/// Forms to_holder and from_ward by the rule, over the CPU. Errors: those of form_group().
Status link_peers(RankGroups& groups, const PeerRule& rule, const dist::GroupOptions& options,
                  clock::Deadline deadline);

}  // namespace zt::train
