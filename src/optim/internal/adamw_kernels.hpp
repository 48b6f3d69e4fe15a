// SPDX-License-Identifier: Apache-2.0
// One AdamW step on blocks of 256 elements, and the EMA that goes with it, on the CPU. Plain loops that the
// compiler vectorises; fused multiply-adds only where they are written, so every instruction set gives the
// same bits.
#pragma once

#include <cstdint>
#include <utility>

#include "optim/internal/step_arithmetic.hpp"

namespace zt::optim::internal {

inline constexpr int64_t kBlock = 256;

/// Sums of bit patterns modulo 2^32, so that the order of addition does not matter (resting_sums.hpp).
struct BitSums {
  uint32_t values = 0, moments = 0, averages = 0;
};
/// Of what a step came to and of what it left.
struct Tally {
  BitSums found, left;
  Tally& operator+=(const Tally& more) {
    for (const auto& [sums, others] : {std::pair{&found, &more.found}, std::pair{&left, &more.left}}) {
      sums->values += others->values;
      sums->moments += others->moments;
      sums->averages += others->averages;
    }
    return *this;
  }
};

/// p and both moments of `count` elements. The kernels add what they read and write to the tally.
void adamw(const Factors& factors, int64_t count, float* value, const float* gradient, float* first,
           float* second, Tally& tally);

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
                const Block8Bit& state, Tally& tally);

/// average += weight * (value - average).
void move_average(float weight, int64_t count, const float* value, float* average, Tally& tally);

/// Sum of the elements' bit patterns, modulo 2^32.
uint32_t bit_sum(int64_t count, const uint16_t* elements);

/// Sum of squares of one block in fp64: eight interleaved sums, added pairwise.
double square_sum(const float* block);

}  // namespace zt::optim::internal
