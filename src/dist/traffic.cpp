// SPDX-License-Identifier: Apache-2.0
#include "dist/traffic.hpp"

namespace zt::dist {

std::string_view name(Collective kind) {
  switch (kind) {
    case Collective::AllGather:
      return "all_gather";
    case Collective::ReduceScatter:
      return "reduce_scatter";
    case Collective::AllReduce:
      return "all_reduce";
    case Collective::Broadcast:
      return "broadcast";
    case Collective::Barrier:
      return "barrier";
  }
  return "barrier";
}

TrafficOf& TrafficOf::operator+=(const TrafficOf& other) {
  operations += other.operations;
  elements_sent += other.elements_sent;
  elements_received += other.elements_received;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  return *this;
}

TrafficOf Traffic::total() const {
  TrafficOf sum;
  for (const TrafficOf& one : by_kind) sum += one;
  return sum;
}

Traffic& Traffic::operator+=(const Traffic& other) {
  for (size_t kind = 0; kind < kNumCollectives; ++kind) by_kind[kind] += other.by_kind[kind];
  return *this;
}

void TrafficCounter::add_operation(Collective kind) {
  const std::lock_guard lock(mutex_);
  ++traffic_.by_kind[static_cast<size_t>(kind)].operations;
}

void TrafficCounter::add_elements(Collective kind, int64_t sent, int64_t received, int64_t element_bytes) {
  const std::lock_guard lock(mutex_);
  TrafficOf& one = traffic_.by_kind[static_cast<size_t>(kind)];
  one.elements_sent += sent;
  one.elements_received += received;
  one.bytes_sent += sent * element_bytes;
  one.bytes_received += received * element_bytes;
}

Traffic TrafficCounter::read() const {
  const std::lock_guard lock(mutex_);
  return traffic_;
}

}  // namespace zt::dist
