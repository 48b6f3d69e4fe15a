// SPDX-License-Identifier: Apache-2.0
// One worker's part in training a run, over as many generations as the launcher begins: when another rank
// dies this process lives on, keeps what it has loaded, and goes back with the others to the newest step that
// all of them hold in memory, else to the newest checkpoint.
#pragma once

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "checkpoint/peer_tier.hpp"
#include "contract/run_folder.hpp"
#include "contract/worker_call.hpp"
#include "rendezvous/client.hpp"
#include "train/journal/flight_dump.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/setup.hpp"
#include "worker/join.hpp"

namespace zt::worker {

class Training {
 public:
  /// All must outlive it.
  Training(const contract::RunFolder& run, const contract::WorkerCall& call, Launch& launch)
      : run_(run), call_(call), launch_(launch), is_restart_(call.restart > 0) {}

  /// Trains in the launch's attempt, from loading to the end. Exit code 0 or kExitResumable. Errors: those of
  /// the configuration, of joining, loading and training. `flight` follows the ranks' exchanges.
  Result<int> run(train::Journal& journal, train::FlightDump& flight);
  /// After an error of run(): waits for what the launcher makes of a lost rank. True if there is a next
  /// attempt, which is then the launch's; false if the error is this rank's own, or the launcher starts no
  /// rank again.
  bool goes_on_after(const Error& error);
  /// Of this process, where run() has said its error already.
  std::optional<int> exit_code() const { return exit_code_; }

 private:
  Status open();
  Result<train::Ranks> join();
  Status set_up(train::Ranks ranks, train::Journal& journal);
  Status check_still_wanted();
  bool is_of_the_group(const Error& error) const;
  /// Whether the other ranks end because of this one's error.
  bool is_cause(const Error& error) const;
  const contract::RunFolder& run_;
  const contract::WorkerCall& call_;
  Launch& launch_;
  config::TrainJob job_;
  std::optional<checkpoint::Memory> memory_;  ///< nothing before the first run()
  std::unique_ptr<rendezvous::Client> news_;  ///< what the launcher says; null with one rank
  std::shared_ptr<train::Setup> setup_;       ///< null until a generation was set up
  bool has_joined_ = false;                   ///< this generation
  bool is_restart_;
  bool lives_on_ = false;     ///< from an earlier generation
  bool is_replaced_ = false;  ///< by another process of this rank
  std::optional<int> exit_code_;
};

}  // namespace zt::worker
