// SPDX-License-Identifier: Apache-2.0
// How a worker comes to its launch and to the other ranks of it. Started by `zoetrope` it is told its
// attempt, its place and where the launcher's store is. Started by torchrun, accelerate or srun it finds its
// place in the environment; the first rank then begins an attempt and starts a store that outlives it
// (`zoetrope store`), and all find that through a file in the attempt's folder, which says whose launch it
// is.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/files/files.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "contract/worker_call.hpp"
#include "rendezvous/client.hpp"
#include "train/ranks/ranks.hpp"

namespace zt::worker {

struct Launch {
  contract::Attempt attempt;
  int64_t rank = 0;
  int64_t ranks = 1;
  std::string host;                 ///< as RankPlace::host
  std::optional<files::Lock> lock;  ///< the run's, held by the first rank for all
  rendezvous::ClientOptions store;  ///< how the store is reached, of no member; unused with one rank
  std::unique_ptr<rendezvous::Client> saves;  ///< a connection to it; null with one rank
  /// This rank's share of its host's cores, known once the ranks have joined; 0 with one rank: all of them.
  int64_t threads = 0;
  at::Device device = at::kCPU;  ///< this rank's, likewise
};

/// Errors: Unavailable if another process writes the run or the store can't be reached; Timeout if other
/// ranks' launch does not appear; InvalidArgument for an environment or address that makes no sense;
/// InvalidConfig where accelerate's launcher asks for what the run is not; Cancelled when asked to stop.
Result<Launch> find_launch(const contract::RunFolder& run, const contract::WorkerCall& call);

/// The connection for Launch::saves. A launcher that is stopped, or gets no core, answers late but is there:
/// a store that gave up on it could make no later save of the launch either.
Result<std::unique_ptr<rendezvous::Client>> connect_for_saves(rendezvous::ClientOptions store,
                                                              clock::Deadline deadline);

struct JoinRules {
  /// A launcher keeps this rank's snapshots: neighbours are linked if the job says so.
  bool keeps_memory = false;
  /// A request to stop ends the wait: no rank has anything yet that could be saved.
  bool ends_on_stop = true;
};

/// The other ranks; with one rank nobody is looked for. Takes `launch.saves` and sets `launch.threads` and
/// `.device`. Errors: InvalidConfig with more ranks than lanes; Cancelled; those of dist::form_group and
/// tensor::open_device.
Result<train::Ranks> join_ranks(Launch& launch, const config::TrainJob& job, JoinRules rules);

}  // namespace zt::worker
