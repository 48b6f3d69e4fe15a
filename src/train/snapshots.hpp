// SPDX-License-Identifier: Apache-2.0
// The snapshots of a launch: a rank's state in its own memory tier, copied beside the forward and backward
// pass that follows, and then, beside the steps that follow, in its holder's.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "checkpoint/peer_tier.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/setup.hpp"

namespace zt::train {

/// All ranks make the same calls after the same steps.
class Snapshots {
 public:
  /// All must outlive it. Does nothing where setup.keeps_snapshots is not set.
  Snapshots(Setup& setup, checkpoint::Memory& memory, int64_t generation, Journal& journal);

  /// Waits for the copy.
  ~Snapshots();
  Snapshots(const Snapshots&) = delete;
  Snapshots& operator=(const Snapshots&) = delete;

  /// Begins to keep the step at hand, whose state must stay as it is until await_copy() returns. Blocks for
  /// what is left of all ranks' copies of the snapshot before. Errors: those of Ranks.
  Status keep();
  /// Waits until the snapshot is in the rank's own tier; then its holder's copy begins. A tier without room
  /// is given up, which is logged.
  void await_copy();
  /// The step at hand is the newest in memory, from where it was restored: holders that were lost get it.
  void copy_again();
  /// Forgets what is beyond the step at hand.
  void drop_later();
  /// Waits for copies that are under way.
  void await();
  /// Seconds that keep() and await_copy() blocked since the last call.
  double take_blocked_s() { return std::exchange(blocked_s_, 0.0); }

 private:
  checkpoint::Snapshot at_hand() const;
  void begin_copy();
  void await_peers();
  void give_up(const std::string& where, const Error& error);
  void warn(const std::string& text);
  Setup& setup_;
  checkpoint::Memory& memory_;
  const int64_t generation_;
  Journal& journal_;
  checkpoint::PeerCopies copies_;
  bool is_pending_ = false;  ///< await_copy() has something to do
  std::thread own_copy_;
  Status kept_;           ///< of own_copy_
  bool has_room_ = true;  ///< in this rank's own tier
  double blocked_s_ = 0;
};

}  // namespace zt::train
