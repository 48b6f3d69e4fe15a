// SPDX-License-Identifier: Apache-2.0
// Memory of the device that tensors live on: what they held at most, and whether a demand fits.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "base/process/resources.hpp"

namespace zt::tensor {

/// Most bytes that tensors held at once since the last reset_peak(): on the CPU all of them (see memory.hpp),
/// on a GPU those of this process.
int64_t peak_tensor_bytes(at::Device device);
/// Sets the peak to what is live.
void reset_peak(at::Device device);

/// resources::require() against the device's free memory. Errors: Exhausted.
Status require_memory(at::Device device, std::span<const resources::Demand> demands, std::string_view advice);

}  // namespace zt::tensor
