// SPDX-License-Identifier: Apache-2.0
// Values and gradients of layers of rows, for the tests that compare them with a formula.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

namespace zt::nn::test {

struct Result {
  at::Tensor out;
  std::vector<at::Tensor> gradients;  ///< of the inputs; undefined where the output does not depend on one
};

/// layers(inputs), all inputs converted to `type`, and the gradients.
template <class Layers>
Result run(const std::vector<at::Tensor>& inputs, const at::Tensor& out_gradient, at::ScalarType type,
           const Layers& layers) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs)
    leaves.push_back(input.detach().to(type).clone().set_requires_grad(true));
  const at::AutoGradMode grad_mode(true);
  const at::Tensor out = layers(leaves);
  return {out.detach(), torch::autograd::grad({out}, leaves, {out_gradient.to(out.scalar_type())},
                                              /*retain_graph=*/{}, /*create_graph=*/false,
                                              /*allow_unused=*/true)};
}

/// Largest difference as a share of the largest value.
inline double relative_error(const at::Tensor& got, const at::Tensor& wanted) {
  return got.to(at::kDouble).sub(wanted).abs().max().item<double>() / wanted.abs().max().item<double>();
}

}  // namespace zt::nn::test
