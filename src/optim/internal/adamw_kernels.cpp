// SPDX-License-Identifier: Apache-2.0
// See adamw_kernels.hpp. Compiled with -ffp-contract=off (CMakeLists.txt): contraction would differ between
// the clones below.
#include "optim/internal/adamw_kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

#include "base/target_clones.hpp"
#include "optim/internal/dynamic_map.hpp"

namespace zt::optim::internal {
namespace {

// Writes the codes of a block and returns its largest magnitude. A block of zeros gets code 0: with an absmax
// of 0 the codes mean nothing. Loops are apart so that all but the table look-up are vectorised.
[[gnu::always_inline]] inline float encode(const DynamicMap& map, const float* moment, int64_t count,
                                           uint8_t* codes) {
  float absmax = 0;
  for (int64_t i = 0; i < kBlock; ++i) absmax = std::max(absmax, std::fabs(moment[i]));
  const float scale = absmax > 0 ? 1.0f / absmax : 0.0f;
  int32_t cells[kBlock];
  for (int64_t i = 0; i < kBlock; ++i) cells[i] = cell_of(moment[i] * scale);
  for (int64_t i = 0; i < count; ++i) codes[i] = map.codes[static_cast<size_t>(cells[i])];
  if (absmax == 0) std::fill_n(codes, count, uint8_t{0});
  return absmax;
}

[[gnu::always_inline]] inline uint32_t bits(float element) { return std::bit_cast<uint32_t>(element); }

template <class T>
[[gnu::always_inline]] inline uint32_t sum_of(int64_t count, const T* elements) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += elements[i];
  return sum;
}

[[gnu::always_inline]] inline uint32_t sum_of(int64_t count, const Block8Bit& state) {
  return sum_of(count, state.first_codes) + sum_of(count, state.second_codes) + bits(*state.first_absmax) +
         bits(*state.second_absmax);
}

}  // namespace

ZT_TARGET_CLONES("arch=x86-64-v3", "default")
void adamw(const Factors& factors, int64_t count, float* __restrict value, const float* __restrict gradient,
           float* __restrict first, float* __restrict second, Tally& tally) {
  const Factors f = factors;
  BitSums found, left;
  for (int64_t i = 0; i < count; ++i) {
    found.values += bits(value[i]);
    found.moments += bits(first[i]) + bits(second[i]);
    const float g = gradient[i] * f.gradient_scale;
    first[i] = next_first(f, first[i], g);
    second[i] = next_second(f, second[i], g);
    value[i] = moved(f, value[i], first[i], second[i]);
    left.values += bits(value[i]);
    left.moments += bits(first[i]) + bits(second[i]);
  }
  tally.found.values += found.values;
  tally.found.moments += found.moments;
  tally.left.values += left.values;
  tally.left.moments += left.moments;
}

ZT_TARGET_CLONES("arch=x86-64-v3", "default")
void adamw_8bit(const Factors& factors, int64_t count, float* __restrict value,
                const float* __restrict gradient, const Block8Bit& state, Tally& tally) {
  const Factors f = factors;
  const DynamicMap& first_map = signed_map();
  const DynamicMap& second_map = unsigned_map();
  float first[kBlock] = {}, second[kBlock] = {};
  uint32_t found = 0, left = 0;
  tally.found.moments += sum_of(count, state);
  for (int64_t i = 0; i < count; ++i) first[i] = first_map.values[state.first_codes[i]];
  for (int64_t i = 0; i < count; ++i) second[i] = second_map.values[state.second_codes[i]];
  const float first_before = *state.first_absmax, second_before = *state.second_absmax;
  for (int64_t i = 0; i < count; ++i) {
    found += bits(value[i]);
    const float g = gradient[i] * f.gradient_scale;
    first[i] = next_first_8bit(f, first[i] * first_before, g);
    second[i] = next_second(f, second[i] * second_before, g);
    value[i] = moved(f, value[i], first[i], second[i]);
    left += bits(value[i]);
  }
  *state.first_absmax = encode(first_map, first, count, state.first_codes);
  *state.second_absmax = encode(second_map, second, count, state.second_codes);
  tally.found.values += found;
  tally.left.values += left;
  tally.left.moments += sum_of(count, state);
}

ZT_TARGET_CLONES("arch=x86-64-v3", "default")
void move_average(float weight, int64_t count, const float* __restrict value, float* __restrict average,
                  Tally& tally) {
  uint32_t found = 0, left = 0;
  for (int64_t i = 0; i < count; ++i) {
    found += bits(average[i]);
    average[i] = moved_average(weight, value[i], average[i]);
    left += bits(average[i]);
  }
  tally.found.averages += found;
  tally.left.averages += left;
}

uint32_t bit_sum(int64_t count, const uint16_t* elements) { return sum_of(count, elements); }

ZT_TARGET_CLONES("fma", "default")
double square_sum(const float* block) {
  double sums[8] = {};
  for (int64_t i = 0; i < kBlock; i += 8) {
    for (int64_t lane = 0; lane < 8; ++lane) {
      const double x = block[i + lane];
      sums[lane] += x * x;
    }
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace zt::optim::internal
