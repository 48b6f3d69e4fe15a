// SPDX-License-Identifier: Apache-2.0
// See recompute.hpp.
#include "nn/recompute.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>

#include "tensor/autocast.hpp"
#include "tensor/require.hpp"

namespace zt::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What backward needs besides the inputs.
struct Recipe final : torch::CustomClassHolder {
  Piece piece;
  BackwardBorders borders;
  at::DeviceType device = at::kCPU;
  tensor::AutocastState autocast;
};

/// Inputs cut from the graph, with gradients wanted where the originals want them.
variable_list as_leaves(const variable_list& inputs) {
  variable_list leaves;
  leaves.reserve(inputs.size());
  for (const at::Tensor& input : inputs)
    leaves.push_back(input.detach().set_requires_grad(input.requires_grad()));
  return leaves;
}

class RecomputeFunction final : public torch::autograd::Function<RecomputeFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const c10::intrusive_ptr<Recipe>& recipe,
                               at::TensorList inputs) {
    ctx->save_for_backward(inputs.vec());
    ctx->saved_data["recipe"] = c10::IValue::make_capsule(recipe);
    ctx->set_materialize_grads(false);
    return recipe->piece(inputs.vec());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& output_gradients) {
    const auto capsule = ctx->saved_data["recipe"].toCapsule();
    const auto& recipe = static_cast<const Recipe&>(*capsule);
    if (recipe.borders.before) recipe.borders.before();
    const variable_list leaves = as_leaves(ctx->get_saved_variables());
    variable_list outputs, gradients;
    {
      const at::AutoGradMode grad_mode(true);
      const tensor::AutocastGuard autocast(recipe.device, recipe.autocast);
      const variable_list all = recipe.piece(leaves);
      for (size_t i = 0; i < all.size(); ++i) {
        if (!output_gradients[i].defined() || !all[i].requires_grad()) continue;
        outputs.push_back(all[i]);
        gradients.push_back(output_gradients[i]);
      }
    }
    if (!outputs.empty()) torch::autograd::backward(outputs, gradients);
    if (recipe.borders.after) recipe.borders.after();
    variable_list input_gradients = {at::Tensor()};  // the recipe's place in forward's arguments
    for (const at::Tensor& leaf : leaves) input_gradients.push_back(leaf.grad());
    return input_gradients;
  }
};

}  // namespace

std::vector<at::Tensor> recompute(Piece piece, const std::vector<at::Tensor>& inputs,
                                  BackwardBorders borders) {
  if (!at::GradMode::is_enabled()) return piece(inputs);
  ZT_REQUIRE(!inputs.empty(), "a recomputed piece needs an input");
  auto recipe = c10::make_intrusive<Recipe>();
  recipe->borders = std::move(borders);
  recipe->device = inputs.front().device().type();
  recipe->autocast = tensor::AutocastState::current(recipe->device);
  // The anchor makes autograd record the function also where only captured parameters want gradients.
  recipe->piece = [piece = std::move(piece)](const variable_list& anchored) {
    return piece({anchored.begin(), anchored.end() - 1});
  };
  variable_list anchored = inputs;
  anchored.push_back(at::empty({1}, inputs.front().options().dtype(at::kFloat)).set_requires_grad(true));
  return RecomputeFunction::apply(recipe, at::TensorList(anchored));
}

}  // namespace zt::nn
