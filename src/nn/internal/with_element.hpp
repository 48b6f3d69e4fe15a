// SPDX-License-Identifier: Apache-2.0
// From a tensor's type to the element type of the CPU kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include "nn/internal/bf16.hpp"

namespace zt::nn::internal {

/// Gives fn a value of the type that the elements of x, fp32 or bf16, have in the kernels.
template <class Fn>
void with_element(const at::Tensor& x, const Fn& fn) {
  x.scalar_type() == at::kFloat ? fn(float{}) : fn(Bf16{});
}

}  // namespace zt::nn::internal
