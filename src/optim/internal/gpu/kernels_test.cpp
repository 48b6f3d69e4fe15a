// SPDX-License-Identifier: Apache-2.0
// The GPU's kernels give the bits of the CPU's loops. Here they run on the CPU, a thread for each of theirs;
// tests/gpu runs them on a GPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "optim/internal/adamw_kernels.hpp"
#include "optim/internal/bf16_kernels.hpp"
#include "optim/internal/dynamic_map.hpp"
#include "optim/internal/gpu/arguments.hpp"
#include "optim/internal/gpu/gpu_step.hpp"

namespace {

// What CUDA C++ has beyond C++.
struct Index {
  unsigned x = 0;
};
thread_local Index threadIdx, blockIdx;
std::barrier<>* block_barrier = nullptr;
void __syncthreads() { block_barrier->arrive_and_wait(); }
unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
void atomicMax(unsigned* where, unsigned value) {
  std::atomic_ref<unsigned> shared(*where);
  for (unsigned seen = shared; seen < value && !shared.compare_exchange_weak(seen, value);) {
  }
}

}  // namespace

#define __device__ static
#define __global__
#define __shared__ static
#include "optim/internal/gpu/kernels.cu"
#undef __device__
#undef __global__
#undef __shared__

namespace zt::optim::internal {
namespace {

void launch(int64_t blocks, const std::function<void()>& kernel) {
  for (unsigned block = 0; block < blocks; ++block) {
    std::barrier<> barrier(kThreads);
    block_barrier = &barrier;
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([=, &kernel] {
        threadIdx.x = thread;
        blockIdx.x = block;
        kernel();
      });
  }
}

using Floats = std::vector<float>;
using Bf16s = std::vector<uint16_t>;
using Bytes = std::vector<uint8_t>;

Floats wave(size_t count, float frequency, float scale) {
  Floats out(count);
  for (size_t i = 0; i < count; ++i) out[i] = scale * std::sin(frequency * static_cast<float>(i + 1));
  return out;
}

Factors factors() { return {0.5f, 0.999f, 0.9f, 0.1f, 0.999f, 0.001f, -1e-2f, 0.03f, 1e-8f}; }

constexpr int64_t kCount = 600;  // two blocks of codes and a part of one

/// fp32 numbers of a step, on either side.
struct Numbers {
  Floats value = wave(kCount, 0.37f, 1), gradient = wave(kCount, 1.3f, 1e-2f), average = wave(kCount, 2, 1),
         first = wave(kCount, 3, 0.1f), second = Floats(kCount, 1e-3f);
  bool operator==(const Numbers&) const = default;
};

ElementRun run_over(Numbers& n) {
  ElementRun run;
  run.count = kCount;
  run.value = n.value.data();
  run.gradient = n.gradient.data();
  run.average = n.average.data();
  run.average_weight = 0.01f;
  run.first_element = 7;
  run.rounding_key = 11;
  run.clear = 1;
  return run;
}

Tally tally;  ///< not looked at

TEST(GpuKernels, StepAverageAndClearAsTheCpu) {
  Numbers cpu, gpu;
  const ElementRun run = run_over(gpu);
  adamw(factors(), kCount, cpu.value.data(), cpu.gradient.data(), cpu.first.data(), cpu.second.data(), tally);
  move_average(0.01f, kCount, cpu.value.data(), cpu.average.data(), tally);
  std::fill(cpu.gradient.begin(), cpu.gradient.end(), 0.0f);

  launch(3, [&] { adamw(factors(), run, gpu.first.data(), gpu.second.data()); });
  EXPECT_EQ(gpu, cpu);
}

TEST(GpuKernels, KeepMastersAndRoundThemAsTheCpu) {
  Numbers cpu, gpu;
  Bf16s bf16_gradient(kCount), wanted(kCount), found(kCount);
  round_nearest(kCount, cpu.gradient.data(), bf16_gradient.data());
  widen(kCount, bf16_gradient.data(), cpu.gradient.data());
  ElementRun run = run_over(gpu);
  run.gradient = nullptr;
  run.bf16_gradient = bf16_gradient.data();
  run.bf16_value = found.data();
  adamw(factors(), kCount, cpu.value.data(), cpu.gradient.data(), cpu.first.data(), cpu.second.data(), tally);
  round_nearest(kCount, cpu.value.data(), wanted.data());

  launch(3, [&] { adamw(factors(), run, gpu.first.data(), gpu.second.data()); });
  EXPECT_EQ(gpu.value, cpu.value);
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(bf16_gradient, Bf16s(kCount, 0));
}

TEST(GpuKernels, RoundAtRandomAsTheCpu) {
  Numbers cpu, gpu;
  Bf16s found(kCount), wanted(kCount);
  round_nearest(kCount, cpu.value.data(), found.data());
  widen(kCount, found.data(), cpu.value.data());
  ElementRun run = run_over(gpu);
  run.value = nullptr;
  run.bf16_value = found.data();
  adamw(factors(), kCount, cpu.value.data(), cpu.gradient.data(), cpu.first.data(), cpu.second.data(), tally);
  round_stochastic(kCount, 11, 7, cpu.value.data(), wanted.data());

  launch(3, [&] { adamw(factors(), run, gpu.first.data(), gpu.second.data()); });
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(gpu.first, cpu.first);
}

/// 8-bit state.
struct Codes {
  Bytes first = Bytes(kCount), second = Bytes(kCount);
  Floats first_absmax = Floats(3), second_absmax = Floats(3);
  bool operator==(const Codes&) const = default;
};

TEST(GpuKernels, CodesAsTheCpu) {
  Numbers cpu, gpu;
  Codes cpu_codes, gpu_codes;
  const Bytes last = {255, 255, kCount - 2 * kCodeBlock - 1};
  const State8Bit state{last.data(),
                        gpu_codes.first.data(),
                        gpu_codes.first_absmax.data(),
                        gpu_codes.second.data(),
                        gpu_codes.second_absmax.data(),
                        signed_map().values.data(),
                        unsigned_map().values.data(),
                        signed_map().codes.data(),
                        unsigned_map().codes.data()};
  for (const float scale : {1.0f, 0.3f, 0.0f}) {
    const Floats gradient = wave(kCount, 1.3f, scale);
    cpu.gradient = gpu.gradient = gradient;
    std::fill_n(cpu.gradient.begin(), kCodeBlock, 0.0f);  // a block of zeros
    std::fill_n(gpu.gradient.begin(), kCodeBlock, 0.0f);
    for (int64_t block = 0; block < 3; ++block) {
      const int64_t at = block * kBlock;
      adamw_8bit(factors(), std::min(kBlock, kCount - at), cpu.value.data() + at, cpu.gradient.data() + at,
                 {cpu_codes.first.data() + at, cpu_codes.first_absmax.data() + block,
                  cpu_codes.second.data() + at, cpu_codes.second_absmax.data() + block},
                 tally);
    }
    move_average(0.01f, kCount, cpu.value.data(), cpu.average.data(), tally);

    const ElementRun run = run_over(gpu);
    launch(1, [&] { adamw_8bit(factors(), run, state); });
    EXPECT_EQ(gpu_codes, cpu_codes) << scale;
    EXPECT_EQ(gpu.value, cpu.value) << scale;
    EXPECT_EQ(gpu.average, cpu.average) << scale;
    EXPECT_EQ(gpu.gradient, Floats(kCount, 0.0f)) << scale;
  }
}

TEST(GpuKernels, CompileForSeveralGenerations) {
  for (const char* capability : {"80", "90", "100"}) {
    const auto code = tensor::compile_kernels(gpu_kernels_source(), capability);
    if (!code && code.error().code == ErrorCode::Unsupported) GTEST_SKIP() << code.error().text();
    ASSERT_TRUE(code) << code.error().text();
    EXPECT_GT(code->size(), 1000u) << capability;
  }
}

}  // namespace
}  // namespace zt::optim::internal
