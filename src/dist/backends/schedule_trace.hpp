// SPDX-License-Identifier: Apache-2.0
// Which operations a rank of a group has begun, for transports that can't see that two ranks do different
// things: there they would wait for each other until their deadline. A rank that waits for long tells the
// store what it did, and looks at what its two neighbours in the group say.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "dist/backends/backend.hpp"
#include "dist/backends/backends.hpp"

namespace zt::dist {

/// Threads: all methods from any.
class ScheduleTrace {
 public:
  void started(const Operation& operation);
  void wait_begins();
  void wait_ends();
  /// How long the wait lasts; 0 if there is none.
  std::chrono::milliseconds waits_for() const;

  /// "17:4b0c51d2 18:..." of the newest operations: sequence and fingerprint.
  std::string text() const;
  /// The first operation that this rank and one with `text` began both, and differently.
  std::optional<uint64_t> first_difference(std::string_view text) const;

 private:
  struct Entry {
    uint64_t sequence = 0;
    uint32_t fingerprint = 0;
  };
  mutable std::mutex mutex_;
  std::deque<Entry> newest_;
  std::optional<clock::Stopwatch> waiting_;
};

/// Tells `store` what this rank did and looks at its neighbours. Diverged, if one that waits too did
/// something else.
std::optional<Outcome> compare_schedules(const ScheduleTrace& mine, const Meeting& meeting,
                                         rendezvous::Client& store);

}  // namespace zt::dist
