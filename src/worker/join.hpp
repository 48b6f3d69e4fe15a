// SPDX-License-Identifier: Apache-2.0
// How a worker comes to its launch and to the other ranks of it.
#pragma once

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/files.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "contract/worker_call.hpp"
#include "rendezvous/client.hpp"
#include "train/ranks.hpp"

namespace zt::worker {

struct Launch {
  contract::Attempt attempt;
  int64_t rank = 0;
  int64_t ranks = 1;
  std::optional<files::Lock> lock;  ///< the run's, held by the first rank for all
  rendezvous::ClientOptions store;  ///< how the store is reached, of no member; unused with one rank
  std::unique_ptr<rendezvous::Client> saves;  ///< a connection to it; null with one rank
};

/// Errors: Unavailable if another process writes the run or the store can't be reached; InvalidArgument for
/// an address that makes no sense.
Result<Launch> find_launch(const contract::RunFolder& run, const contract::WorkerCall& call);

/// The other ranks; with one rank nobody is looked for. Takes `launch.saves`. Errors: those of
/// dist::form_group.
Result<train::Ranks> join_ranks(Launch& launch, const config::TrainJob& job);

}  // namespace zt::worker
