// SPDX-License-Identifier: Apache-2.0
// How the savers of a training's ranks meet: in the store of whoever launched them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/meeting.hpp"
#include "rendezvous/client.hpp"

namespace zt::train {

/// A connection that is lost, because it broke or its client gave up waiting for an answer, is made anew.
/// Where that fails the store is gone for good, and no later save of this launch can succeed. Threads: any.
/// Errors of every call: those of rendezvous::Client; Unavailable, saying what to do, once it is gone.
class StoreMeeting : public checkpoint::Meeting {
 public:
  static constexpr std::chrono::milliseconds kReconnectLimit{5000};

  StoreMeeting(std::unique_ptr<rendezvous::Client> store, int rank, int size,
               std::chrono::milliseconds reconnect_limit = kReconnectLimit);
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Status post(const std::string& key, const std::string& text) override;
  /// Errors: also PeerLost, as soon as the store says so.
  Result<std::vector<std::string>> await(const std::vector<std::string>& keys,
                                         std::chrono::milliseconds limit) override;
  void forget(const std::string& key) override;

  /// Whether later saves can succeed. Where the connection stands it waits for nothing, not even another
  /// thread's call.
  Status check();
  /// Ends a call that another thread is in, and every later one.
  void abort();

 private:
  using Client = rendezvous::Client;
  template <class T>
  Result<T> ask(const std::function<Result<T>(Client&)>& call);
  std::shared_ptr<Client> connection();
  Result<std::shared_ptr<Client>> in_place_of(const std::shared_ptr<Client>& lost);

  const int rank_, size_;
  const std::chrono::milliseconds reconnect_limit_;
  std::mutex mutex_;  ///< of what follows
  std::shared_ptr<Client> store_;
  std::optional<Error> over_;  ///< why there will be no other connection
};

}  // namespace zt::train
