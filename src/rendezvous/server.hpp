// SPDX-License-Identifier: Apache-2.0
// The key-value store through which the ranks of a run find each other. It lives outside the ranks, in
// whoever launched them or in a process of its own (`zoetrope store`), so that it outlives every one of them.
// Keys belong to one generation (launch) of the run. The first client of a newer generation makes that one
// current: the older one's keys are dropped and its clients are refused from then on. A client whose
// connection breaks without a goodbye is recorded as lost (kFirstLostKey), which is how survivors learn whom
// to name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace zt::rendezvous {

/// Holds the name of the first member of the current generation that was lost; absent while none is. A member
/// that gives up without ending may say so by setting it to its own name, if nobody else has.
inline constexpr char kFirstLostKey[] = "rendezvous/first-lost";

struct ServerOptions {
  std::string address = "127.0.0.1";  ///< numeric; "0.0.0.0" or "::" for every interface
  std::string token;  ///< what clients must present: keeps strangers and other runs out of this one
  size_t ranks = 0;   ///< that are to come: they must find descriptors
};

/// Runs on a thread of its own from start() until it is destroyed. Whatever bytes arrive, the worst outcome
/// is a closed connection: sizes, connections and the store are bounded. Threads: any.
class Server {
 public:
  /// Listens on a port that the kernel chooses. Errors: InvalidArgument for an address this host doesn't
  /// have; Exhausted, also if this process may not open as many files as the ranks need connections.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Closes every connection; clients that wait see Unavailable.
  ~Server();

  uint16_t port() const;
  /// The current one; 0 before the first client.
  int64_t generation() const;
  /// Waits for clients until `first_by`, and then, without a limit, until the last of them is gone. False if
  /// none came.
  bool wait_until_deserted(clock::Deadline first_by) const;

 private:
  class Loop;
  explicit Server(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace zt::rendezvous
