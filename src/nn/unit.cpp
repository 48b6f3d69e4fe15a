// SPDX-License-Identifier: Apache-2.0
// See unit.hpp.
#include "nn/unit.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "params/param_store.hpp"

namespace zt::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Border final : torch::CustomClassHolder {
  std::function<void()> in_backward;
};

/// The identity on all tensors at once. Its backward pass runs when the gradients of all of them are there,
/// calls the border and hands them on. Behind a unit's outputs that is before any of its layers' backward;
/// before its inputs, after all of them: a queue of autograd takes the node that was made last, and gradients
/// of parameters are added as soon as they are there.
class BorderFunction final : public torch::autograd::Function<BorderFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const c10::intrusive_ptr<Border>& border,
                               at::TensorList tensors) {
    ctx->saved_data["border"] = c10::IValue::make_capsule(border);
    ctx->set_materialize_grads(false);
    return tensors.vec();
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto capsule = ctx->saved_data["border"].toCapsule();
    static_cast<const Border&>(*capsule).in_backward();
    gradients.insert(gradients.begin(), at::Tensor());  // the border's place in forward's arguments
    return gradients;
  }
};

bool wants_gradient(const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

/// Puts a border across those tensors that want a gradient.
void cross(variable_list& tensors, std::function<void()> in_backward) {
  variable_list crossing;
  for (const at::Tensor& tensor : tensors)
    if (wants_gradient(tensor)) crossing.push_back(tensor);
  if (crossing.empty()) return;
  auto border = c10::make_intrusive<Border>();
  border->in_backward = std::move(in_backward);
  const variable_list crossed = BorderFunction::apply(border, at::TensorList(crossing));
  auto next = crossed.begin();
  for (at::Tensor& tensor : tensors)
    if (wants_gradient(tensor)) tensor = *next++;
}

}  // namespace

params::UnitGate* Unit::gate() const { return store_ ? store_->gate() : nullptr; }

bool Unit::has_backward(const variable_list& inputs) const {
  if (!at::GradMode::is_enabled()) return false;
  return std::any_of(inputs.begin(), inputs.end(), wants_gradient) || (store_ && store_->trains(name_));
}

variable_list Unit::run(Form form, const Piece& piece, const variable_list& inputs) const {
  params::UnitGate* const open = gate();
  if (open) open->before_forward(name_);
  variable_list outputs = form == Form::Recomputed && has_backward(inputs) ? run_recomputed(piece, inputs)
                                                                           : run_kept(piece, inputs);
  if (open) open->after_forward(name_);
  if (open && form == Form::Kept && at::GradMode::is_enabled())
    cross(outputs, [open, this] { open->before_backward(name_); });
  return outputs;
}

variable_list Unit::run_kept(const Piece& piece, variable_list inputs) const {
  if (!at::GradMode::is_enabled()) return piece(inputs);
  if (params::UnitGate* const open = gate()) {
    cross(inputs, [open, this] { open->after_backward(name_); });
  } else {
    for (at::Tensor& tensor : inputs)
      if (wants_gradient(tensor)) tensor = tensor.view_as(tensor);
  }
  return piece(inputs);
}

variable_list Unit::run_recomputed(const Piece& piece, const variable_list& inputs) const {
  BackwardBorders borders;
  if (params::UnitGate* const open = gate())
    borders = {[open, this] { open->before_backward(name_); }, [open, this] { open->after_backward(name_); }};
  variable_list defined;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    defined.push_back(inputs[i]);
    places.push_back(i);
  }
  const auto again = [piece, places, count = inputs.size()](const variable_list& given) {
    variable_list all(count);
    for (size_t i = 0; i < places.size(); ++i) all[places[i]] = given[i];
    return piece(all);
  };
  return recompute(again, defined, std::move(borders));
}

}  // namespace zt::nn
