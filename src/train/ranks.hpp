// SPDX-License-Identifier: Apache-2.0
// The ranks that train one run together, as the step loop sees them: which lanes are whose, what is summed
// and gathered when, and what only the first rank decides. With one rank nothing is exchanged and every call
// succeeds. All ranks make the same calls in the same order.
//
// Errors of every call are dist::Communicator's: PeerLost, Timeout. After one every later call fails alike.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/meeting.hpp"
#include "config/job/train_job.hpp"
#include "dist/communicator.hpp"
#include "params/param_store.hpp"
#include "params/shard.hpp"
#include "rendezvous/client.hpp"

namespace zt::train {

class Ranks {
 public:
  Ranks() = default;
  /// `saves`: a connection of its own for the thread that writes checkpoints.
  Ranks(std::unique_ptr<dist::Communicator> group, std::unique_ptr<rendezvous::Client> saves,
        config::ParallelJob job);

  int64_t rank() const { return group_ ? group_->rank() : 0; }
  int64_t size() const { return group_ ? group_->size() : 1; }
  bool is_first() const { return rank() == 0; }
  /// What of the optimizer's state is this rank's: all of it with ZeRO stage 0.
  params::Shard shard() const;
  /// Which of the run's lanes this rank computes: neighbours, so that the sum over ranks is the upper part of
  /// the tree over lanes.
  params::Range lanes(int64_t num_lanes) const;

  /// Every rank's numbers, in order of rank. `longest`: an upper bound of all their counts, the same on all.
  Result<std::vector<std::vector<double>>> gather(const std::vector<double>& mine, size_t longest,
                                                  std::string_view what);
  /// The first rank's numbers. Their count is the same on all.
  Result<std::vector<double>> from_first(std::vector<double> mine, std::string_view what);
  Status barrier(std::string_view what);

  /// Sums the touched segments' gradients over ranks: everywhere (stage 0), or this rank's shard alone (the
  /// rest is then of no use). Every rank must have the same segments touched.
  Status sum_gradients(params::ParamStore& store);
  /// Every rank's shard of the trainable values to all. Nothing with stage 0, where all have them.
  Status gather_values(params::ParamStore& store);

  /// Gives the others up: their waits for this rank end, and so do this rank's, also those of a save.
  void abandon();

  /// What this rank sent and received so far.
  dist::Traffic traffic() const { return group_ ? group_->traffic() : dist::Traffic(); }
  /// How the ranks' savers meet; nothing with one rank.
  std::shared_ptr<checkpoint::Meeting> meeting() const { return meeting_; }

 private:
  clock::Deadline deadline() const { return clock::in(std::chrono::seconds(job_.timeout_s)); }
  Status wait_all(std::vector<dist::Pending> operations) const;
  std::unique_ptr<dist::Communicator> group_;
  std::shared_ptr<rendezvous::Client> saves_;
  std::shared_ptr<checkpoint::Meeting> meeting_;
  config::ParallelJob job_;
};

}  // namespace zt::train
