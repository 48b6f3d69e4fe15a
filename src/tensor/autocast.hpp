// SPDX-License-Identifier: Apache-2.0
// Mixed precision for a scope: inside it convolutions, linears and attention run in the given type, the rest
// as libtorch chooses. The weight cache is off, because a weight cast in a scope without gradients would lose
// its gradient in a later scope that wants one.
#pragma once

#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

namespace zt::tensor {

/// The autocast state of this thread and device kind, as a value that can be put back on another thread.
struct AutocastState {
  bool enabled = false;
  c10::ScalarType dtype = c10::ScalarType::BFloat16;
  static AutocastState current(c10::DeviceType device);
};

/// Sets the state for this thread until the end of the scope. fp16 or bf16 on both kinds of
/// device. Nests.
class AutocastGuard {
 public:
  AutocastGuard(c10::DeviceType device, AutocastState state);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  c10::DeviceType device_;
  AutocastState before_;
  bool cache_before_;
};

}  // namespace zt::tensor
