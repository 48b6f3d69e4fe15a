// SPDX-License-Identifier: Apache-2.0
// The sinusoidal position table of Vaswani et al. 2017, as AnimateDiff saves it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace zt::tensor {

/// (positions, width) fp32: column 2j of row p holds sin(p w_j), column 2j+1 cos(p w_j), w_j =
/// 10000^(-2j/width).
at::Tensor sine_positions(int64_t positions, int64_t width);

}  // namespace zt::tensor
