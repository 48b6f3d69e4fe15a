// SPDX-License-Identifier: Apache-2.0
// A unit of a network at work: the piece whose weights are there together, whose activations are kept or
// recomputed together and whose gradients are complete together. A network's forward pass is a row of units;
// everything that one reads from others is among its inputs and everything others read of it among its
// outputs. The store's gate (params/unit_gate.hpp) is told where each unit's forward and backward pass begins
// and ends; without one nothing is added.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "nn/recompute.hpp"
#include "params/param_source.hpp"
#include "params/unit_gate.hpp"

namespace zt::nn {

class Unit {
 public:
  enum class Form {
    Kept,       ///< activations stay for backward
    Recomputed  ///< see nn/recompute.hpp
  };

  Unit() = default;
  /// The unit that the source declares or binds parameters of.
  explicit Unit(const params::ParamSource& source) : store_(source.store()), name_(source.unit_name()) {}

  /// Runs piece(inputs); inputs may be undefined, outputs must be defined. The unit and what the piece
  /// captures must outlive backward. Gradients are the same bits in both forms, with and without a gate: each
  /// input's gradient is summed inside the unit before it meets that of other units.
  std::vector<at::Tensor> run(Form form, const Piece& piece, const std::vector<at::Tensor>& inputs) const;

  const std::string& name() const { return name_; }

 private:
  params::UnitGate* gate() const;
  /// Whether gradients will come this way: an input or a parameter wants one.
  bool has_backward(const std::vector<at::Tensor>& inputs) const;
  std::vector<at::Tensor> run_kept(const Piece& piece, std::vector<at::Tensor> inputs) const;
  std::vector<at::Tensor> run_recomputed(const Piece& piece, const std::vector<at::Tensor>& inputs) const;
  const params::ParamStore* store_ = nullptr;
  std::string name_;
};

}  // namespace zt::nn
