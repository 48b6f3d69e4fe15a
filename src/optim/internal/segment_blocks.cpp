// SPDX-License-Identifier: Apache-2.0
// See segment_blocks.hpp.
#include "optim/internal/segment_blocks.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "optim/internal/bf16_kernels.hpp"

namespace zt::optim::internal {

SegmentBlocks::SegmentBlocks(const params::Segment& segment, const at::Tensor& master, uint32_t rounding_key)
    : is_bf16_(segment.values_S.scalar_type() == at::kBFloat16),
      value_(segment.values_S.data_ptr()),
      gradient_(segment.gradients_S.data_ptr()),
      master_(master.defined() ? master.data_ptr<float>() : nullptr),
      rounding_key_(rounding_key),
      begin_(segment.part.begin) {}

void SegmentBlocks::open(int64_t at, int64_t count, Block& block) const {
  if (!is_bf16_) {
    block.value = static_cast<float*>(value_) + at;
    block.gradient = static_cast<float*>(gradient_) + at;
    return;
  }
  block.gradient = block.gradient_copy;
  widen(count, static_cast<const uint16_t*>(gradient_) + at, block.gradient);
  block.value = master_ != nullptr ? master_ + at : block.value_copy;
  if (master_ == nullptr) widen(count, static_cast<const uint16_t*>(value_) + at, block.value);
}

uint32_t SegmentBlocks::bit_sum(int64_t at, int64_t count) const {
  return internal::bit_sum(count, static_cast<const uint16_t*>(value_) + at);
}

void SegmentBlocks::close(int64_t at, int64_t count, const Block& block, bool clear) const {
  if (!is_bf16_) {
    if (clear) std::fill_n(block.gradient, count, 0.0f);
    return;
  }
  uint16_t* const value = static_cast<uint16_t*>(value_) + at;
  if (master_ != nullptr)
    round_nearest(count, block.value, value);
  else
    round_stochastic(count, rounding_key_, static_cast<uint32_t>(begin_ + at), block.value, value);
  if (clear) std::fill_n(static_cast<uint16_t*>(gradient_) + at, count, uint16_t{0});
}

}  // namespace zt::optim::internal
