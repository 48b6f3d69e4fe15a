// SPDX-License-Identifier: Apache-2.0
// What a rank sends and receives, counted where operations start, so that the number is the algorithm's and
// the same for every backend: N ranks, P elements per part, an all-gather or reduce-scatter sends and
// receives (N - 1) P.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace zt::dist {

enum class Collective { AllGather, ReduceScatter, AllReduce, Broadcast, Barrier };
inline constexpr size_t kNumCollectives = 5;
/// "all_gather".
std::string_view name(Collective kind);

struct TrafficOf {
  int64_t operations = 0;
  int64_t elements_sent = 0;
  int64_t elements_received = 0;
  int64_t bytes_sent = 0;
  int64_t bytes_received = 0;
  TrafficOf& operator+=(const TrafficOf& other);
};

struct Traffic {
  std::array<TrafficOf, kNumCollectives> by_kind{};
  const TrafficOf& of(Collective kind) const { return by_kind[static_cast<size_t>(kind)]; }
  TrafficOf total() const;
  Traffic& operator+=(const Traffic& other);
};

/// Threads: any.
class TrafficCounter {
 public:
  void add_operation(Collective kind);
  void add_elements(Collective kind, int64_t sent, int64_t received, int64_t element_bytes);
  Traffic read() const;

 private:
  mutable std::mutex mutex_;
  Traffic traffic_;
};

}  // namespace zt::dist
