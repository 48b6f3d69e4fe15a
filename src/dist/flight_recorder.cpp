// SPDX-License-Identifier: Apache-2.0
#include "dist/flight_recorder.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"

namespace zt::dist {

void FlightRecorder::started(FlightEntry entry) {
  entry.state = FlightState::Started;
  entry.started_s = clock::unix_now_s();
  entry.ended_s = 0;
  const std::lock_guard lock(mutex_);
  if (entries_.size() == kCapacity) {
    dropped_ = entries_.front().sequence;
    entries_.pop_front();
    if (num_ended_ > 0) --num_ended_;
  }
  entries_.push_back(std::move(entry));
}

void FlightRecorder::end_up_to(uint64_t sequence, FlightState state) {
  const std::lock_guard lock(mutex_);
  const double now_s = clock::unix_now_s();
  for (; num_ended_ < entries_.size() && entries_[num_ended_].sequence <= sequence; ++num_ended_) {
    entries_[num_ended_].state = state;
    entries_[num_ended_].ended_s = now_s;
  }
}

std::optional<FlightEntry> FlightRecorder::entry(uint64_t sequence) const {
  const std::lock_guard lock(mutex_);
  if (sequence <= dropped_) return std::nullopt;
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), sequence,
                       [](const FlightEntry& entry, uint64_t wanted) { return entry.sequence < wanted; });
  return found == entries_.end() ? std::nullopt : std::optional(*found);
}

std::vector<FlightEntry> FlightRecorder::entries() const {
  const std::lock_guard lock(mutex_);
  return {entries_.begin(), entries_.end()};
}

}  // namespace zt::dist
