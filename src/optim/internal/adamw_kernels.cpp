// SPDX-License-Identifier: Apache-2.0
// See adamw_kernels.hpp. Compiled with -ffp-contract=off (CMakeLists.txt): contraction would differ between
// the clones below.
#include "optim/internal/adamw_kernels.hpp"

#include <algorithm>
#include <cmath>

#include "optim/internal/dynamic_map.hpp"

// One clone per instruction set, picked when the program starts. The thread sanitizer can't run the
// resolvers.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define ZT_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define ZT_CLONES
#endif

namespace zt::optim::internal {
namespace {

// Fused multiply-adds are written out, where libtorch's vectorised kernels have them: one rounding on every
// instruction set (in software on the rare CPU without them).
[[gnu::always_inline]] inline float moved(const Factors& f, float value, float first, float second) {
  const float denominator = std::sqrt(second) / f.correction + f.eps;
  return value * f.decay + f.minus_lr * first / denominator;
}

// torch: exp_avg.lerp_(grad, 1 - beta1).
[[gnu::always_inline]] inline float next_first(const Factors& f, float first, float gradient) {
  return std::fma(f.one_minus_beta1, gradient - first, first);
}

// bitsandbytes: state1.mul_(beta1).add_(grad, alpha=1 - beta1).
[[gnu::always_inline]] inline float next_first_8bit(const Factors& f, float first, float gradient) {
  return std::fma(f.one_minus_beta1, gradient, first * f.beta1);
}

// Both: mul_(beta2).addcmul_(grad, grad, value=1 - beta2).
[[gnu::always_inline]] inline float next_second(const Factors& f, float second, float gradient) {
  return std::fma(f.one_minus_beta2 * gradient, gradient, second * f.beta2);
}

}  // namespace

ZT_CLONES void adamw(const Factors& factors, int64_t count, float* __restrict value,
                     const float* __restrict gradient, float* __restrict first, float* __restrict second) {
  const Factors f = factors;
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient_scale;
    first[i] = next_first(f, first[i], g);
    second[i] = next_second(f, second[i], g);
    value[i] = moved(f, value[i], first[i], second[i]);
  }
}

ZT_CLONES void adamw_8bit(const Factors& factors, int64_t count, float* __restrict value,
                          const float* __restrict gradient, const Block8Bit& state) {
  const Factors f = factors;
  const DynamicMap& first_map = signed_map();
  const DynamicMap& second_map = unsigned_map();
  float first[kBlock] = {}, second[kBlock] = {};
  for (int64_t i = 0; i < count; ++i) {
    first[i] = first_map.values[state.first_codes[i]] * *state.first_absmax;
    second[i] = second_map.values[state.second_codes[i]] * *state.second_absmax;
  }
  float first_absmax = 0, second_absmax = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * f.gradient_scale;
    first[i] = next_first_8bit(f, first[i], g);
    second[i] = next_second(f, second[i], g);
    value[i] = moved(f, value[i], first[i], second[i]);
    first_absmax = std::max(first_absmax, std::fabs(first[i]));
    second_absmax = std::max(second_absmax, second[i]);
  }
  *state.first_absmax = first_absmax;
  *state.second_absmax = second_absmax;
  // A block of zeros gets code 0; its absmax of 0 makes the codes harmless.
  const float first_scale = first_absmax > 0 ? 1.0f / first_absmax : 0.0f;
  const float second_scale = second_absmax > 0 ? 1.0f / second_absmax : 0.0f;
  for (int64_t i = 0; i < count; ++i) {
    state.first_codes[i] =
        first_absmax > 0 ? first_map.code(std::clamp(first[i] * first_scale, -1.0f, 1.0f)) : 0;
    state.second_codes[i] = second_absmax > 0 ? second_map.code(std::min(second[i] * second_scale, 1.0f)) : 0;
  }
}

ZT_CLONES void move_average(float weight, int64_t count, const float* __restrict value,
                            float* __restrict average) {
  for (int64_t i = 0; i < count; ++i) average[i] += weight * (value[i] - average[i]);
}

ZT_CLONES double square_sum(const float* block) {
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
