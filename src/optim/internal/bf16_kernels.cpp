// SPDX-License-Identifier: Apache-2.0
// See bf16_kernels.hpp.
#include "optim/internal/bf16_kernels.hpp"

#include <bit>

#include "optim/internal/step_arithmetic.hpp"

namespace zt::optim::internal {
void widen(int64_t count, const uint16_t* __restrict from, float* __restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] = std::bit_cast<float>(uint32_t{from[i]} << 16);
}

void round_nearest(int64_t count, const float* __restrict from, uint16_t* __restrict to) {
  for (int64_t i = 0; i < count; ++i) {
    to[i] = nearest_bf16(std::bit_cast<uint32_t>(from[i]));
  }
}

void round_stochastic(int64_t count, uint32_t key, uint32_t first, const float* __restrict from,
                      uint16_t* __restrict to) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t random = random_bits(key, first + static_cast<uint32_t>(i));
    to[i] = stochastic_bf16(std::bit_cast<uint32_t>(from[i]), random);
  }
}

}  // namespace zt::optim::internal
