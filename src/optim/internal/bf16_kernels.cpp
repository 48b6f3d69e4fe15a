// SPDX-License-Identifier: Apache-2.0
// See bf16_kernels.hpp.
#include "optim/internal/bf16_kernels.hpp"

#include <bit>

namespace zt::optim::internal {
namespace {

constexpr uint32_t kLowerHalf = 0xFFFF;

}  // namespace

void widen(int64_t count, const uint16_t* __restrict from, float* __restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] = std::bit_cast<float>(uint32_t{from[i]} << 16);
}

void round_nearest(int64_t count, const float* __restrict from, uint16_t* __restrict to) {
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<uint32_t>(from[i]);
    to[i] = static_cast<uint16_t>((bits + (kLowerHalf >> 1) + ((bits >> 16) & 1)) >> 16);
  }
}

void round_stochastic(int64_t count, uint32_t key, uint32_t first, const float* __restrict from,
                      uint16_t* __restrict to) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t random = random_bits(key, first + static_cast<uint32_t>(i)) & kLowerHalf;
    to[i] = static_cast<uint16_t>((std::bit_cast<uint32_t>(from[i]) + random) >> 16);
  }
}

}  // namespace zt::optim::internal
