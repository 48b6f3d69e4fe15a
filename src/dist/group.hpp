// SPDX-License-Identifier: Apache-2.0
// Forming a group: the ranks meet in the rendezvous, agree on a backend and connect. Forming again under the
// next generation, in the same process and with whoever is left, is the same call with a client of that
// generation.
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "dist/communicator.hpp"
#include "rendezvous/client.hpp"

namespace zt::dist {

struct GroupOptions {
  /// Used while forming, and to learn who was lost when the group fails. Its generation is the group's.
  std::shared_ptr<rendezvous::Client> store;
  std::string name = "world";  ///< unique among the groups of a generation: "shard.0", "replica.3"
  int rank = 0;
  int size = 1;
  int world_rank = 0;  ///< equal to the client's member name; what messages call this rank
  std::string host;    ///< for messages; empty: the system's host name
  /// "auto": on a GPU nccl; else shared memory if all ranks are on one host and can map one segment, or gloo.
  std::string backend = "auto";
  at::Device device = at::kCPU;  ///< where the buffers lie; with a GPU one that no other rank has
  /// Where ranks on other hosts reach this one; empty: the address on the route to the rendezvous.
  std::string address;
  /// Ranks with equal ones try shared memory; empty: this host's (exchange/segment.hpp).
  std::string host_identity;
  /// Transports that can't see that ranks do different things compare them in waits that are longer.
  std::chrono::milliseconds compare_after{5000};
};

/// Errors: Timeout naming the ranks that did not come; Superseded; Unavailable if the rendezvous is gone or a
/// peer can't be reached; AlreadyExists if this rank has formed a group of that name in this generation;
/// InvalidArgument for an unknown backend; Unsupported if the named backend can't serve these ranks.
Result<std::unique_ptr<Communicator>> form_group(const GroupOptions& options, clock::Deadline deadline);

}  // namespace zt::dist
