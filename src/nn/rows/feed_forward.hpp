// SPDX-License-Identifier: Apache-2.0
// GEGLU feed-forward (Shazeer 2020): Linear C -> 8C split in value and gate, value * GELU(gate), Linear 4C ->
// C.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "params/param_source.hpp"

namespace zt::nn {

struct FeedForward {
  FeedForward() = default;
  FeedForward(const params::ParamSource& source, int64_t width);
  at::Tensor operator()(const at::Tensor& x_BSC) const;
  /// x + (*this)(norm(x)), x (..., C). On a CPU in one pass that keeps nothing but x for backward
  /// (internal/feed_forward_kernel.hpp) where feed_forward_fits_kernel, in the arithmetic told there.
  at::Tensor add_to(const at::Tensor& x, const LayerNorm& norm) const;

  Linear proj;  ///< net.0.proj; first half value, second half gate
  Linear out;   ///< net.2
};

/// Whether add_to is one pass at this width, on a CPU that has the instructions, for fp32 and bf16.
bool feed_forward_fits_kernel(int64_t width);

}  // namespace zt::nn
