// SPDX-License-Identifier: Apache-2.0
// Flat tensors whose memory comes and goes: what views them (parameters, what autograd saved of them) sees
// whatever memory is lent at the moment. So a unit's weights can be there for its forward pass, gone, and
// there again, somewhere else, for its backward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace zt::params {

/// A flat tensor without memory. Reading or writing it throws, naming `what`, until memory is lent.
at::Tensor lent_tensor(int64_t elements, const at::TensorOptions& options, const std::string& what);

/// Lets `flat`, and all views of its storage, use `memory`, which must have its size and device and stay
/// until taken back. The storage's version does not change: to autograd nothing was written.
void lend(const at::Tensor& flat, const at::Tensor& memory);

/// The opposite. A tensor that has memory of its own frees it.
void take_back(const at::Tensor& flat, const std::string& what);

}  // namespace zt::params
