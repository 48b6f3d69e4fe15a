// SPDX-License-Identifier: Apache-2.0
// What the rendezvous server knows and answers, without sockets: requests of numbered connections go in,
// replies to send come out. The clock is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "rendezvous/wire.hpp"

namespace zt::rendezvous {

class Table {
 public:
  /// The store's keys and values hold at most this much together.
  static constexpr size_t kMaxStoredBytes = size_t{64} << 20;

  struct Answer {
    uint64_t connection = 0;
    Frame reply;
    bool close_after = false;
  };

  explicit Table(std::string token) : token_(std::move(token)) {}

  /// All answers that the request causes: the asker's, unless it has to wait, and those of others whose wait
  /// it ends.
  std::vector<Answer> handle(uint64_t connection, const Frame& request, clock::Deadline now);
  /// The connection broke. Answers as above.
  std::vector<Answer> disconnect(uint64_t connection);
  /// Answers of waits whose time is up at `now`.
  std::vector<Answer> expire(clock::Deadline now);
  /// When expire() has something to do next.
  std::optional<clock::Deadline> next_expiry() const;
  int64_t generation() const { return generation_; }

 private:
  struct Peer {
    int64_t generation = 0;
    std::string member;
  };
  struct Wait {
    std::vector<std::string> keys;
    clock::Deadline until;
  };
  using Answers = std::vector<Answer>;
  void hello(uint64_t connection, const Frame& request, Answers& answers);
  void serve(uint64_t connection, const Frame& request, clock::Deadline now, Answers& answers);
  void get(uint64_t connection, const Frame& request, clock::Deadline now, Answers& answers);
  void add(uint64_t connection, const Frame& request, Answers& answers);
  void compare_and_set(uint64_t connection, const Frame& request, Answers& answers);
  /// False if the store is full. Ends the waits that the key was missing for.
  bool store(const std::string& key, std::string value, Answers& answers);
  std::vector<std::string> missing(const std::vector<std::string>& keys) const;
  /// The reply that carries them. Requires: all are there.
  Frame values(const std::vector<std::string>& keys) const;

  const std::string token_;
  int64_t generation_ = 0;
  std::map<uint64_t, Peer> peers_;  ///< connections that have said hello
  std::map<std::string, std::string, std::less<>> values_;
  size_t stored_bytes_ = 0;
  std::map<uint64_t, Wait> waits_;  ///< by connection: each has at most one
};

}  // namespace zt::rendezvous
