// SPDX-License-Identifier: Apache-2.0
// bfloat16 for the CPU kernels, which know nothing of libtorch.
#pragma once

#include <cstdint>

namespace zt::nn::internal {

/// As it lies in memory: the upper half of an fp32.
struct Bf16 {
  uint16_t bits;
};

}  // namespace zt::nn::internal
