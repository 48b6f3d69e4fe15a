// SPDX-License-Identifier: Apache-2.0
// AdamW's pass over a run of elements on a GPU. NVRTC compiles this behind step_arithmetic.hpp and
// arguments.hpp when a GPU is first used (gpu_step.cpp); gpu_kernels_test.cpp runs it on the CPU.

namespace zt::optim::internal {

__device__ float widened(unsigned short value) { return __uint_as_float(static_cast<unsigned>(value) << 16); }

__device__ float value_at(const ElementRun& run, long long i) {
  return run.value ? run.value[i] : widened(run.bf16_value[i]);
}

__device__ float gradient_at(const ElementRun& run, long long i) {
  return run.gradient ? run.gradient[i] : widened(run.bf16_gradient[i]);
}

// What surrounds the update of an element: EMA, cast, clearing.
__device__ void finish(const ElementRun& run, long long i, float value) {
  if (run.average) run.average[i] = moved_average(run.average_weight, value, run.average[i]);
  if (run.value) run.value[i] = value;
  if (run.bf16_value) {
    const unsigned bits = __float_as_uint(value);
    const unsigned element = run.first_element + static_cast<unsigned>(i);
    run.bf16_value[i] =
        run.value ? nearest_bf16(bits) : stochastic_bf16(bits, random_bits(run.rounding_key, element));
  }
  if (!run.clear) return;
  if (run.gradient) run.gradient[i] = 0.0f;
  if (run.bf16_gradient) run.bf16_gradient[i] = 0;
}

// A thread does one element.
extern "C" __global__ void adamw(Factors f, ElementRun run, float* first, float* second) {
  const long long i = blockIdx.x * static_cast<long long>(kThreads) + threadIdx.x;
  if (i >= run.count) return;
  const float g = gradient_at(run, i) * f.gradient_scale;
  const float m = next_first(f, first[i], g), v = next_second(f, second[i], g);
  first[i] = m;
  second[i] = v;
  finish(run, i, moved(f, value_at(run, i), m, v));
}

__device__ unsigned char coded(const unsigned char* map, float moment, float absmax) {
  if (absmax == 0.0f) return 0;
  return map[cell_of(moment * (1.0f / absmax))];
}

// A warp does the 256 elements of a code block, each thread every 32nd.
extern "C" __global__ void adamw_8bit(Factors f, ElementRun run, State8Bit state) {
  __shared__ unsigned largest_first[kCodeBlocks];  // bits: those of magnitudes are ordered as the numbers
  __shared__ unsigned largest_second[kCodeBlocks];
  const int warp = threadIdx.x / kLanes, lane = threadIdx.x % kLanes;
  const long long block = blockIdx.x * static_cast<long long>(kCodeBlocks) + warp;
  if (lane == 0) largest_first[warp] = largest_second[warp] = 0;
  __syncthreads();

  const bool is_inside = block * kCodeBlock < run.count;
  const int count = is_inside ? state.last_in_block[block] + 1 : 0;
  const float first_before = is_inside ? state.first_absmax[block] : 0.0f;
  const float second_before = is_inside ? state.second_absmax[block] : 0.0f;
  float first[kPerLane], second[kPerLane];
  float first_absmax = 0.0f, second_absmax = 0.0f;
  for (int k = 0; k < kPerLane; ++k) {
    const int within = k * kLanes + lane;
    if (within >= count) continue;  // not break: so the loop is unrolled and its arrays stay in registers
    const long long i = block * kCodeBlock + within;
    const float g = gradient_at(run, i) * f.gradient_scale;
    first[k] = next_first_8bit(f, state.first_values[state.first_codes[i]] * first_before, g);
    second[k] = next_second(f, state.second_values[state.second_codes[i]] * second_before, g);
    finish(run, i, moved(f, value_at(run, i), first[k], second[k]));
    first_absmax = fmaxf(first_absmax, fabsf(first[k]));
    second_absmax = fmaxf(second_absmax, fabsf(second[k]));
  }
  atomicMax(&largest_first[warp], __float_as_uint(first_absmax));
  atomicMax(&largest_second[warp], __float_as_uint(second_absmax));
  __syncthreads();

  first_absmax = __uint_as_float(largest_first[warp]);
  second_absmax = __uint_as_float(largest_second[warp]);
  for (int k = 0; k < kPerLane; ++k) {
    const int within = k * kLanes + lane;
    if (within >= count) continue;
    const long long i = block * kCodeBlock + within;
    state.first_codes[i] = coded(state.first_map, first[k], first_absmax);
    state.second_codes[i] = coded(state.second_map, second[k], second_absmax);
  }
  if (!is_inside || lane != 0) return;
  state.first_absmax[block] = first_absmax;
  state.second_absmax[block] = second_absmax;
}

}  // namespace zt::optim::internal
