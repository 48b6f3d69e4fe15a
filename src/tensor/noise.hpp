// SPDX-License-Identifier: Apache-2.0
// Random tensors. Training draws from counters: element i of a tensor is a pure function of (seed, purpose,
// item, i), so that the numbers depend neither on threads nor on what was drawn before nor on the CPU, and a
// restart loses nothing. Generation can also draw as Python's torch.manual_seed(seed) does on the CPU, bit
// for bit.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace zt::tensor {

/// Names one stream of random numbers: run seed, what it is for, which thing of that kind (step, sample, name
/// hash).
struct NoiseKey {
  uint64_t seed = 0;
  uint32_t purpose = 0;
  uint64_t item = 0;
};

/// Standard normal fp32 on the CPU: Philox4x32-10 words, Box-Muller; |x| < 5.8.
at::Tensor normal(at::IntArrayRef shape, NoiseKey key);
/// Uniform fp32 in [low, high) on the CPU, 24 random bits each.
at::Tensor uniform(at::IntArrayRef shape, NoiseKey key, float low, float high);

/// Overwrite a contiguous fp32 CPU tensor with the numbers that normal() * sd, uniform() would give.
void fill_normal(const at::Tensor& out, NoiseKey key, float sd);
void fill_uniform(const at::Tensor& out, NoiseKey key, float low, float high);

/// A CPU generator in the state torch.Generator().manual_seed(seed) has: at::randn with it equals Python's
/// numbers.
at::Generator make_generator(uint64_t seed);

}  // namespace zt::tensor
