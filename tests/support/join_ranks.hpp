// SPDX-License-Identifier: Apache-2.0
// A rank of a test's training, joined through the test's own store.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "config/job/train_job.hpp"
#include "dist/group.hpp"
#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"
#include "train/ranks/rank_groups.hpp"
#include "train/ranks/ranks.hpp"

namespace zt::test {

/// What a test's ranks exchange through: "auto" is shared memory, as they are on one host.
struct JoinOptions {
  std::string token = {};
  std::string backend = "auto";
};

/// Through the store at that port of this host.
inline train::Ranks join_ranks(uint16_t port, int rank, int size, const config::ParallelJob& job,
                               const JoinOptions& how = {}) {
  if (how.backend == "gloo") ::signal(SIGPIPE, SIG_IGN);  // as in the program (base/signals.hpp)
  const clock::Deadline deadline = clock::in(std::chrono::seconds(20));
  const auto connect = [&](std::string member) {
    rendezvous::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    options.token = how.token;
    options.generation = 1;
    options.member = std::move(member);
    return rendezvous::Client::connect(options, deadline).value();
  };
  dist::GroupOptions group;
  group.store = connect(std::to_string(rank));
  group.rank = group.world_rank = rank;
  group.size = size;
  group.backend = how.backend;
  auto world = dist::form_group(group, deadline).value();
  return train::Ranks(train::form_groups(std::move(world), group, job.shard_ranks, deadline).value(),
                      connect(""), job);
}

inline train::Ranks join_ranks(const rendezvous::Server& store, int rank, int size,
                               const config::ParallelJob& job, const JoinOptions& how = {}) {
  return join_ranks(store.port(), rank, size, job, how);
}

}  // namespace zt::test
