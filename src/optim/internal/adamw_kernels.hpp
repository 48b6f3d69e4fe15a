// SPDX-License-Identifier: Apache-2.0
// One AdamW step on blocks of 256 elements, and the EMA that goes with it, on the CPU. Plain loops that the
// compiler vectorises; fused multiply-adds only where they are written, so every instruction set gives the
// same bits.
#pragma once

#include <cstdint>

#include "optim/internal/step_arithmetic.hpp"

namespace zt::optim::internal {

inline constexpr int64_t kBlock = 256;

/// p and both moments of `count` elements.
void adamw(const Factors& factors, int64_t count, float* value, const float* gradient, float* first,
           float* second);

/// One block's 8-bit state: codes of up to 256 elements and the largest magnitude of each moment.
struct Block8Bit {
  uint8_t* first_codes;
  float* first_absmax;
  uint8_t* second_codes;
  float* second_absmax;
};
/// The same with moments read from and written to codes. `count` <= 256: elements past the parameter's end
/// have no state, because a code never decodes to exactly zero once its block is in use.
void adamw_8bit(const Factors& factors, int64_t count, float* value, const float* gradient,
                const Block8Bit& state);

/// average += weight * (value - average).
void move_average(float weight, int64_t count, const float* value, float* average);

/// Sum of squares of one block in fp64: eight interleaved sums, added pairwise.
double square_sum(const float* block);

}  // namespace zt::optim::internal
