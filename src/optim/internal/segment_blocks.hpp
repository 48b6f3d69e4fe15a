// SPDX-License-Identifier: Apache-2.0
// A rank's part of a segment on the CPU as blocks of fp32 numbers, whatever it is kept in.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "optim/internal/adamw_kernels.hpp"
#include "params/param_store.hpp"

namespace zt::optim::internal {

class SegmentBlocks {
 public:
  /// `master`: fp32 values of a bf16 segment, or undefined: what a step makes of them is then rounded at
  /// random (round_stochastic with `rounding_key`). The segment outlives this.
  SegmentBlocks(const params::Segment& segment, const at::Tensor& master, uint32_t rounding_key);

  /// Up to kBlock elements. What is kept in bf16 is copied into the block.
  struct Block {
    float* value;
    float* gradient;
    float value_copy[kBlock];
    float gradient_copy[kBlock];
  };
  /// `at` counts from the part's first element.
  void open(int64_t at, int64_t count, Block& block) const;
  /// Whether values are kept rounded at random, and not as update kernels see and leave them.
  bool are_rounded() const { return is_bf16_ && master_ == nullptr; }
  /// The sum of their bits as they are kept, if they are.
  uint32_t bit_sum(int64_t at, int64_t count) const;
  /// Puts the values back, and zero over the gradient if `clear`.
  void close(int64_t at, int64_t count, const Block& block, bool clear) const;

 private:
  const bool is_bf16_;
  void* const value_;     ///< float or bf16
  void* const gradient_;  ///< likewise
  float* const master_;   ///< null: none
  const uint32_t rounding_key_;
  const int64_t begin_;  ///< the part's, in the segment
};

}  // namespace zt::optim::internal
