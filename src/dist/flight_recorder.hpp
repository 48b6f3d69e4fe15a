// SPDX-License-Identifier: Apache-2.0
// A rank's last operations, for the person or program that asks after a failure who was where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dist/traffic.hpp"

namespace zt::dist {

enum class FlightState { Started, Complete, Failed };

struct FlightEntry {
  /// Of the operation's last part; grows, with gaps where an operation has several parts.
  uint64_t sequence = 0;
  Collective kind = Collective::Barrier;
  std::string label;
  int64_t bytes = 0;         ///< of the larger buffer
  uint32_t fingerprint = 0;  ///< of all its parts: equal on all ranks that do the same
  FlightState state = FlightState::Started;
  double started_s = 0;  ///< Unix time
  double ended_s = 0;    ///< 0 until complete or failed
};

/// Threads: any.
class FlightRecorder {
 public:
  static constexpr size_t kCapacity = 1000;
  /// Takes over sequence, kind, label, bytes and fingerprint.
  void started(FlightEntry entry);
  /// Sets the state of all entries up to `sequence` that are still Started.
  void end_up_to(uint64_t sequence, FlightState state);
  /// The operation that this part belongs to; none if it is no longer held.
  std::optional<FlightEntry> entry(uint64_t sequence) const;
  std::vector<FlightEntry> entries() const;

 private:
  mutable std::mutex mutex_;
  std::deque<FlightEntry> entries_;
  uint64_t dropped_ = 0;  ///< the last sequence number that is no longer held; they begin at 1
  size_t num_ended_ = 0;  ///< leading entries that are no longer Started
};

}  // namespace zt::dist
