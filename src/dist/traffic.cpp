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

TrafficOf Traffic::total() const {
  TrafficOf sum;
  for (const TrafficOf& one : by_kind) {
    sum.operations += one.operations;
    sum.elements_sent += one.elements_sent;
    sum.elements_received += one.elements_received;
    sum.bytes_sent += one.bytes_sent;
    sum.bytes_received += one.bytes_received;
  }
  return sum;
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
