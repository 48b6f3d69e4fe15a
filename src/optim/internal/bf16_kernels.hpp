// SPDX-License-Identifier: Apache-2.0
// Between fp32 and bf16, its upper half. Plain loops that the compiler vectorises; finite numbers only.
#pragma once

#include <cstdint>

namespace zt::optim::internal {

void widen(int64_t count, const uint16_t* from, float* to);

/// To the nearest, ties to even.
void round_nearest(int64_t count, const float* from, uint16_t* to);

/// Up or down at random, so that the expected result is the number itself: updates far smaller than a step of
/// bf16 still count on average. The choice is a function of `key` and the element's number (`first` is that
/// of the first one), so it is the same on every rank and device.
void round_stochastic(int64_t count, uint32_t key, uint32_t first, const float* from, uint16_t* to);

}  // namespace zt::optim::internal
