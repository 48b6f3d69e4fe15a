// SPDX-License-Identifier: Apache-2.0
// Where a unit's work begins and ends, told to whoever brings its weights and takes its gradients away.
#pragma once

#include <string>

namespace zt::params {

/// What a ParamStore may be given; nn/unit.hpp calls it around the work of every unit whose layers are bound
/// to the store. Calls never nest: a unit's end comes before another's beginning, but for a backward pass
/// whose unit has no input that wants a gradient: its end is not told. Calls may throw, which ends the pass.
class UnitGate {
 public:
  virtual ~UnitGate() = default;
  /// From here to after_forward() the unit's values are read.
  virtual void before_forward(const std::string& unit) = 0;
  virtual void after_forward(const std::string& unit) = 0;
  /// From here to after_backward() its values are read and its gradients added to.
  virtual void before_backward(const std::string& unit) = 0;
  virtual void after_backward(const std::string& unit) = 0;
};

}  // namespace zt::params
