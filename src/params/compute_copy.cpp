// SPDX-License-Identifier: Apache-2.0
// See compute_copy.hpp.
#include "params/compute_copy.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <vector>

namespace zt::params {

ComputeCopy::ComputeCopy(const ParamStore& store, at::ScalarType dtype)
    : store_(store), copy_(store.with_values_in(dtype)) {}

void ComputeCopy::refresh() {
  const at::NoGradGuard no_grad;
  for (size_t s = 0; s < store_.segments().size(); ++s) {
    const at::Tensor& from = store_.segments()[s].values_P;
    const at::Tensor& to = copy_->segments()[s].values_P;
    if (!to.is_same(from)) to.copy_(from);
  }
}

void ComputeCopy::collect(ParamStore& into) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> first, first_sums, further, further_sums;
  for (size_t i = 0; i < copy_->params().size(); ++i) {
    const StoredParam& here = copy_->params()[i];
    if (!here.value.grad().defined()) continue;
    const bool is_first = !into.segments()[here.segment].touched;
    (is_first ? first : further).push_back(here.value.grad());
    (is_first ? first_sums : further_sums).push_back(into.params()[i].value.grad());
    here.value.mutable_grad().reset();
  }
  if (!first.empty()) at::_foreach_copy_(first_sums, first);
  if (!further.empty()) at::_foreach_add_(further_sums, further);
}

}  // namespace zt::params
