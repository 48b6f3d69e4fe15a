// SPDX-License-Identifier: Apache-2.0
// See compute_copy.hpp.
#include "params/compute_copy.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <map>
#include <utility>
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
  struct Gradients {
    std::vector<at::Tensor> here, sums;
  };
  // By whether the sums are zero still, and their type: what is launched together has one of each.
  std::map<std::pair<bool, at::ScalarType>, Gradients> groups;
  for (size_t i = 0; i < copy_->params().size(); ++i) {
    const StoredParam& param = copy_->params()[i];
    if (!param.value.grad().defined()) continue;
    const at::Tensor& sum = into.params()[i].value.grad();
    Gradients& group = groups[{!into.segments()[param.segment].touched, sum.scalar_type()}];
    group.here.push_back(param.value.grad());
    group.sums.push_back(sum);
    param.value.mutable_grad().reset();
  }
  for (const auto& [kind, group] : groups) {
    const bool are_zero = kind.first;
    are_zero ? at::_foreach_copy_(group.sums, group.here) : at::_foreach_add_(group.sums, group.here);
  }
}

}  // namespace zt::params
