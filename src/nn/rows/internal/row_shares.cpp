// SPDX-License-Identifier: Apache-2.0
// See row_shares.hpp.
#include "nn/rows/internal/row_shares.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "nn/internal/instruction_sets.hpp"

namespace zt::nn::internal {

bool runs_row_kernels(c10::Device device, c10::ScalarType type) {
  return has_kernels() && device.is_cpu() && (type == at::kFloat || type == at::kBFloat16);
}

Operands forward_operands(const at::Tensor& rows) {
  return rows.scalar_type() == at::kBFloat16 && has_bf16_pairs() ? Operands::kBf16Pairs : Operands::kFp32;
}

at::Tensor as_fp32(const at::Tensor& weight) { return weight.detach().to(at::kFloat).contiguous(); }

int64_t count_shares(int64_t rows) {
  return std::clamp<int64_t>(rows / kRowsWorthAThread, 1, at::get_num_threads());
}

SharedGradients::SharedGradients(const std::vector<at::Tensor>& weights, int64_t shares)
    : all_(weights.size()), types_(weights.size()) {
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!weights[i].defined()) continue;
    std::vector<int64_t> sizes = weights[i].sizes().vec();
    sizes.insert(sizes.begin(), shares);
    types_[i] = weights[i].scalar_type();
    all_[i] = at::zeros(sizes, weights[i].options().dtype(at::kFloat).requires_grad(false));
  }
}

float* SharedGradients::data(size_t weight, int64_t share) const {
  const at::Tensor& all = all_[weight];
  return all.defined() ? all.data_ptr<float>() + share * all.stride(0) : nullptr;
}

at::Tensor SharedGradients::total(size_t weight) const {
  const at::Tensor& all = all_[weight];
  if (!all.defined()) return {};
  return (all.size(0) == 1 ? all.squeeze(0) : all.sum(0)).to(types_[weight]);
}

}  // namespace zt::nn::internal
