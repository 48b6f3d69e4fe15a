// SPDX-License-Identifier: Apache-2.0
// One rank's connection to the rendezvous server, bound to one generation.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "rendezvous/wire.hpp"

namespace zt::rendezvous {

struct ClientOptions {
  std::string host;  ///< name or numeric address
  uint16_t port = 0;
  std::string token;
  int64_t generation = 0;  ///< at least 1
  /// Who this is, e.g. "2" for rank 2: recorded as lost if the connection ends without a goodbye. Empty for
  /// an extra connection that should not count.
  std::string member;
  /// How long the server may take to answer what needs no waiting, before it counts as gone.
  std::chrono::milliseconds answer_within{5000};
};

/// Errors of every call: Superseded when a newer generation has taken over; Unavailable when the server is
/// gone or doesn't answer (the client is of no use afterwards); Cancelled after abort(). Threads: calls of
/// several threads wait for each other, a get() for as long as it takes; abort() may come at any time.
class Client {
 public:
  /// Tries until the deadline, so the server may start later. Errors: also Permission for a wrong token.
  static Result<std::unique_ptr<Client>> connect(const ClientOptions& options, clock::Deadline deadline);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// Says goodbye, unless abort() was called.
  ~Client();
  /// One more connection of the same generation, of no member: for a thread that waits on its own.
  Result<std::unique_ptr<Client>> another(clock::Deadline deadline) const;

  /// Errors: Exhausted if the store is full.
  Status set(std::string_view key, std::string_view value);
  /// The values of all keys, once all are there. Errors: Timeout, naming the missing keys.
  Result<std::vector<std::string>> get(const std::vector<std::string>& keys, clock::Deadline deadline);
  Result<std::string> get(std::string_view key, clock::Deadline deadline);
  /// Adds to a counter, an absent one being 0, and returns the sum. Errors: InvalidArgument if the value is
  /// not a number.
  Result<int64_t> add(std::string_view key, int64_t delta);
  /// Sets the key if it holds `expected` ("" = absent). Returns what it holds afterwards ("" = absent).
  Result<std::string> compare_and_set(std::string_view key, std::string_view expected,
                                      std::string_view desired);
  /// Whether the key was there.
  Result<bool> erase(std::string_view key);

  int64_t generation() const { return options_.generation; }
  /// This host's numeric address on the route to the server: where peers can reach this rank.
  const std::string& local_address() const { return local_address_; }
  /// Ends a call that another thread is in, and every later one.
  void abort();
  /// Whether every later call would fail: the connection has ended, or a call gave it up. Waits for nothing.
  bool is_lost() const;

 private:
  Client(ClientOptions options, int fd);
  Result<Frame> call(const Frame& request, clock::Deadline answer_by);
  Result<Frame> read_frame(clock::Deadline answer_by);
  Result<Frame> lost(std::string_view what);
  const ClientOptions options_;
  const std::string local_address_, server_address_;
  std::mutex mutex_;  ///< one call at a time
  int fd_;
  std::atomic<bool> is_broken_ = false;  ///< once the server is gone, or answers what is no answer
  std::atomic<bool> is_aborted_ = false;
};

}  // namespace zt::rendezvous
