// SPDX-License-Identifier: Apache-2.0
// GEGLU feed-forward (Shazeer 2020): Linear C -> 8C split in value and gate, value * GELU(gate), Linear 4C ->
// C.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/linear.hpp"
#include "params/param_source.hpp"

namespace zt::nn {

struct FeedForward {
  FeedForward() = default;
  FeedForward(const params::ParamSource& source, int64_t width);
  at::Tensor operator()(const at::Tensor& x_BSC) const;

  Linear proj;  ///< net.0.proj; first half value, second half gate
  Linear out;   ///< net.2
};

}  // namespace zt::nn
