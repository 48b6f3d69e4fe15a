// SPDX-License-Identifier: Apache-2.0
// The arithmetic of adamw_kernels.hpp by libtorch's operations: for parameters on a GPU, and what tests hold
// the kernels against. Differs from the kernels by rounding only.
#pragma once

#include <ATen/core/Tensor.h>

#include "optim/internal/adamw_kernels.hpp"

namespace zt::optim::internal {

/// A step as libtorch's fused operation takes it.
struct FusedStep {
  double lr = 0, beta1 = 0, beta2 = 0, weight_decay = 0, eps = 0;
  int64_t t = 1;  ///< counted from 1
  double gradient_scale = 1;
};
/// adamw() on whole tensors of one shape, in place: one pass over them. Scales the gradient in place.
void adamw_on_device(const FusedStep& step, const at::Tensor& value, const at::Tensor& gradient,
                     const at::Tensor& first, const at::Tensor& second);

/// Codes of one parameter and their largest magnitudes, one per 256 elements.
struct State8Bit {
  at::Tensor first_codes, first_absmax, second_codes, second_absmax;
};
/// adamw_8bit() on all blocks of one parameter, in place. Tensors are flat.
void adamw_8bit_on_device(const Factors& factors, const at::Tensor& value, const at::Tensor& gradient,
                          const State8Bit& state);

/// round_stochastic() of a flat fp32 tensor whose first element has number `first`: fp32 numbers that bf16
/// holds exactly.
at::Tensor stochastically_rounded(const at::Tensor& values, uint32_t key, int64_t first);

}  // namespace zt::optim::internal
