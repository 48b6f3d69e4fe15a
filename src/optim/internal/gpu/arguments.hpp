// SPDX-License-Identifier: Apache-2.0
// What the GPU's kernels are given; compiled by the host's compiler and by NVRTC (step_arithmetic.hpp).
#pragma once

namespace zt::optim::internal {

/// A run of elements that one launch steps. All memory is the GPU's.
struct ElementRun {
  long long count = 0;
  float* value = nullptr;                ///< weights or their masters; null: `bf16_value` alone is kept
  unsigned short* bf16_value = nullptr;  ///< weights in bf16; null: they are `value`
  float* gradient = nullptr;             ///< one of the two
  unsigned short* bf16_gradient = nullptr;
  float* average = nullptr;  ///< null: no EMA
  float average_weight = 0;
  unsigned rounding_key = 0;
  unsigned first_element = 0;  ///< number of the first one in its segment
  int clear = 0;               ///< zero the gradients
};

/// 8-bit state of a run: codes, largest magnitudes per block, and the two maps.
struct State8Bit {
  const unsigned char* last_in_block = nullptr;  ///< a block's elements less one: at a parameter's end fewer
  unsigned char* first_codes = nullptr;
  float* first_absmax = nullptr;
  unsigned char* second_codes = nullptr;
  float* second_absmax = nullptr;
  const float* first_values = nullptr;  ///< DynamicMap::values
  const float* second_values = nullptr;
  const unsigned char* first_map = nullptr;  ///< DynamicMap::codes
  const unsigned char* second_map = nullptr;
};

constexpr int kThreads = 256;    ///< of a launch's blocks
constexpr int kCodeBlock = 256;  ///< elements that share a largest magnitude
constexpr int kLanes = 32;       ///< threads that do a code block
constexpr int kPerLane = kCodeBlock / kLanes;
constexpr int kCodeBlocks = kThreads / kLanes;  ///< code blocks of a launch's block

}  // namespace zt::optim::internal
