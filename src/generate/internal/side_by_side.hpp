// SPDX-License-Identifier: Apache-2.0
// The two halves of guidance at once: on small windows two threads with a half each beat two threads inside
// every operation. Larger ones fill the threads, and their halves would need twice the memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>

#include "models/unet/config.hpp"

namespace zt::generate::internal {

/// Whether a window of that many latent positions (frames x height x width) is small, and there are threads
/// for both.
bool fits_side_by_side(const models::UNetConfig& unet, int64_t positions, at::Device device);

/// body(0) and body(1), each on half of the threads, with the caller's autocast and gradient mode.
void side_by_side(const std::function<void(size_t)>& body);

}  // namespace zt::generate::internal
