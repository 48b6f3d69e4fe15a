// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a step on one element: for the CPU's loops (adamw_kernels.cpp, bf16_kernels.cpp) and for
// the GPU's kernels (gpu/kernels.cu), which so give the same bits. Both are compiled without contraction;
// fused multiply-adds are where libtorch's vectorised kernels have them (in software on the rare CPU without
// them). Operations are in the order of torch.optim.AdamW and, for 8-bit state, of bitsandbytes 0.50 on the
// CPU.
#pragma once

#ifdef __CUDACC_RTC__  // NVRTC: it has float functions of its own, and no standard headers
#define ZT_ON_ELEMENT __device__ __forceinline__
#else
#include <cmath>
#define ZT_ON_ELEMENT [[gnu::always_inline]] inline
#endif

namespace zt::optim::internal {

/// Factors of a step, the same for every element of a segment.
struct Factors {
  float gradient_scale = 1;
  float decay = 1;  ///< 1 - lr * weight_decay
  float beta1 = 0, one_minus_beta1 = 1;
  float beta2 = 0, one_minus_beta2 = 1;
  float minus_lr = 0;    ///< -lr / (1 - beta1^t)
  float correction = 1;  ///< sqrt(1 - beta2^t)
  float eps = 0;
};

ZT_ON_ELEMENT float moved(const Factors& f, float value, float first, float second) {
  const float denominator = sqrtf(second) / f.correction + f.eps;
  return value * f.decay + f.minus_lr * first / denominator;
}

/// torch: exp_avg.lerp_(grad, 1 - beta1).
ZT_ON_ELEMENT float next_first(const Factors& f, float first, float gradient) {
  return fmaf(f.one_minus_beta1, gradient - first, first);
}

/// bitsandbytes: state1.mul_(beta1).add_(grad, alpha=1 - beta1).
ZT_ON_ELEMENT float next_first_8bit(const Factors& f, float first, float gradient) {
  return fmaf(f.one_minus_beta1, gradient, first * f.beta1);
}

/// Both: mul_(beta2).addcmul_(grad, grad, value=1 - beta2).
ZT_ON_ELEMENT float next_second(const Factors& f, float second, float gradient) {
  return fmaf(f.one_minus_beta2 * gradient, gradient, second * f.beta2);
}

/// average += weight * (value - average).
ZT_ON_ELEMENT float moved_average(float weight, float value, float average) {
  return average + weight * (value - average);
}

/// A moment divided by its block's largest magnitude -> its cell of the 65,536 (dynamic_map.hpp).
ZT_ON_ELEMENT int cell_of(float normalized) {
  const float below = normalized < 1.0f ? normalized : 1.0f;  // 1/x rounds
  const float inside = below > -1.0f ? below : -1.0f;
  return static_cast<int>((inside + 1.0f) * 0.5f * 65535.0f + 0.5f);
}

/// 32 bits for an element of the segment: the finaliser of MurmurHash3 over its number and the key.
ZT_ON_ELEMENT unsigned random_bits(unsigned key, unsigned element) {
  unsigned x = element ^ key;
  x ^= x >> 16;
  x *= 0x85EBCA6Bu;
  x ^= x >> 13;
  x *= 0xC2B2AE35u;
  return x ^ (x >> 16);
}

/// The bits of an fp32 number -> bf16, its upper half: to the nearest, ties to even.
ZT_ON_ELEMENT unsigned short nearest_bf16(unsigned bits) {
  return static_cast<unsigned short>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

/// Up or down at random (`random`: any 32 bits), so that the expected result is the number itself.
ZT_ON_ELEMENT unsigned short stochastic_bf16(unsigned bits, unsigned random) {
  return static_cast<unsigned short>((bits + (random & 0xFFFFu)) >> 16);
}

}  // namespace zt::optim::internal
