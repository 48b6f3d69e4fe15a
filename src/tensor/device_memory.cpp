// SPDX-License-Identifier: Apache-2.0
// See device_memory.hpp.
#include "tensor/device_memory.hpp"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "tensor/memory.hpp"

namespace zt::tensor {
namespace {

c10::DeviceAllocator& allocator_of(at::Device device) {
  at::globalContext().lazyInitDevice(device.type());
  return *c10::getDeviceAllocator(device.type());
}

c10::CachingAllocator::Stat allocated_bytes(at::Device device) {
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return allocator_of(device).getDeviceStats(device.index()).allocated_bytes[kAll];
}

}  // namespace

int64_t peak_tensor_bytes(at::Device device) {
  return device.is_cpu() ? memory_stats().peak_bytes : allocated_bytes(device).peak;
}

void reset_peak(at::Device device) {
  if (device.is_cpu()) return reset_peak();
  allocator_of(device).resetPeakStats(device.index());
}

Status require_memory(at::Device device, std::span<const resources::Demand> demands,
                      std::string_view advice) {
  if (device.is_cpu()) return resources::require_memory(demands, advice);
  const auto [free_bytes, total_bytes] = allocator_of(device).getMemoryInfo(device.index());
  return resources::require("memory of " + device.str(), demands, free_bytes, advice);
}

}  // namespace zt::tensor
