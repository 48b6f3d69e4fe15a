// SPDX-License-Identifier: Apache-2.0
// See parts.hpp.
#include "nn/parts.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// One slice's inputs, cut from the graph around them, and its own graph's ends.
struct Part {
  variable_list leaves;  ///< cut inputs, then shared ones
  variable_list outputs;
};

struct Work final : torch::CustomClassHolder {
  int64_t dim = 0;
  size_t num_cut = 0;
  std::vector<Part> parts;
  std::vector<size_t> inputs;  ///< the leaves that want a gradient
  variable_list params;        ///< that the parts' graphs end in, besides their leaves
};

bool wants_gradient(const at::Tensor& x) { return x.defined() && x.requires_grad(); }

/// body(i) for every part, each on a thread of its own in the caller's gradient mode and autocast.
void side_by_side(size_t count, const std::function<void(size_t)>& body) {
  const at::ThreadLocalState state;
  tensor::parallel_for(0, static_cast<int64_t>(count), 1, [&](int64_t first, int64_t last) {
    const at::ThreadLocalStateGuard as_caller(state);
    const tensor::ThreadCount one_each(1);
    for (int64_t i = first; i < last; ++i) body(static_cast<size_t>(i));
  });
}

at::Tensor slice(const at::Tensor& x, int64_t dim, int64_t part, int64_t count) {
  const int64_t items = x.size(dim), first = items * part / count, end = items * (part + 1) / count;
  return x.narrow(dim, first, end - first);
}

/// Slice `part` of x as a leaf that wants a gradient where x does.
at::Tensor cut_leaf(const at::Tensor& x, int64_t dim, int64_t part, int64_t count) {
  if (!x.defined()) return x;
  return slice(x.detach(), dim, part, count).set_requires_grad(wants_gradient(x));
}

at::Tensor shared_leaf(const at::Tensor& x) {
  return x.defined() ? x.detach().set_requires_grad(wants_gradient(x)) : x;
}

/// Parameters that these graphs end in, in the order of a walk.
variable_list find_params(const std::vector<Part>& parts) {
  std::unordered_set<const void*> seen;
  for (const Part& part : parts)
    for (const at::Tensor& leaf : part.leaves)
      if (leaf.defined()) seen.insert(leaf.unsafeGetTensorImpl());
  variable_list found;
  std::vector<torch::autograd::Node*> todo;
  for (const Part& part : parts)
    for (const at::Tensor& output : part.outputs)
      if (wants_gradient(output)) todo.push_back(output.grad_fn().get());
  while (!todo.empty()) {
    torch::autograd::Node* const node = todo.back();
    todo.pop_back();
    if (!node || !seen.insert(node).second) continue;
    if (const auto* end = dynamic_cast<const torch::autograd::AccumulateGrad*>(node)) {
      if (seen.insert(end->variable.unsafeGetTensorImpl()).second) found.push_back(end->variable);
    }
    for (const auto& edge : node->next_edges()) todo.push_back(edge.function.get());
  }
  return found;
}

/// Output `index` of all parts, put together.
at::Tensor joined(const Work& work, size_t index) {
  std::vector<at::Tensor> slices;
  for (const Part& part : work.parts) slices.push_back(part.outputs[index].detach());
  return at::cat(slices, work.dim);
}

variable_list joined(const Work& work) {
  variable_list outputs;
  for (size_t i = 0; i < work.parts.front().outputs.size(); ++i) outputs.push_back(joined(work, i));
  return outputs;
}

/// Gradients of one part's `wanted` tensors; undefined where they have no influence.
variable_list part_gradients(const Work& work, size_t part, const variable_list& output_gradients,
                             const variable_list& wanted) {
  const at::AutoGradMode grad_mode(true);
  variable_list outputs, gradients;
  for (size_t i = 0; i < output_gradients.size(); ++i) {
    const at::Tensor& output = work.parts[part].outputs[i];
    if (!output_gradients[i].defined() || !output.requires_grad()) continue;
    outputs.push_back(output);
    gradients.push_back(slice(output_gradients[i], work.dim, static_cast<int64_t>(part),
                              static_cast<int64_t>(work.parts.size())));
  }
  if (outputs.empty()) return variable_list(wanted.size());
  return torch::autograd::grad(outputs, wanted, gradients, /*retain_graph=*/false, /*create_graph=*/false,
                               /*allow_unused=*/true);
}

/// Adds up what the parts have of one tensor, in their order.
at::Tensor added_up(const std::vector<variable_list>& by_part, size_t index) {
  at::Tensor sum;
  bool is_own = false;  // what a part handed out may be another's too
  for (const variable_list& gradients : by_part) {
    const at::Tensor& next = gradients[index];
    if (!next.defined()) continue;
    if (!sum.defined()) {
      sum = next;
    } else {
      sum = is_own ? sum.add_(next) : sum + next;
      is_own = true;
    }
  }
  return sum;
}

at::Tensor side_by_side_gradient(const Work& work, const std::vector<variable_list>& by_part, size_t index,
                                 size_t input) {
  std::vector<at::Tensor> slices;
  for (size_t part = 0; part < by_part.size(); ++part) {
    const at::Tensor& gradient = by_part[part][index];
    slices.push_back(gradient.defined() ? gradient : at::zeros_like(work.parts[part].leaves[input]));
  }
  return at::cat(slices, work.dim);
}

class PartsFunction final : public torch::autograd::Function<PartsFunction> {
 public:
  /// `inputs`: the inputs that want a gradient, then the parameters, for autograd to see.
  static variable_list forward(AutogradContext* ctx, const c10::intrusive_ptr<Work>& work,
                               at::TensorList /*inputs*/) {
    ctx->saved_data["work"] = c10::IValue::make_capsule(work);
    ctx->set_materialize_grads(false);
    return joined(*work);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& output_gradients) {
    const auto capsule = ctx->saved_data["work"].toCapsule();
    auto& work = static_cast<Work&>(*capsule);
    std::vector<variable_list> by_part(work.parts.size());
    side_by_side(by_part.size(), [&](size_t part) {
      variable_list wanted;
      for (const size_t input : work.inputs) wanted.push_back(work.parts[part].leaves[input]);
      wanted.insert(wanted.end(), work.params.begin(), work.params.end());
      by_part[part] = part_gradients(work, part, output_gradients, wanted);
      work.parts[part].outputs.clear();  // and with them the graph
    });
    variable_list gradients = {at::Tensor()};  // the work's place in forward's arguments
    for (size_t i = 0; i < work.inputs.size(); ++i)
      gradients.push_back(work.inputs[i] < work.num_cut
                              ? side_by_side_gradient(work, by_part, i, work.inputs[i])
                              : added_up(by_part, i));
    for (size_t p = 0; p < work.params.size(); ++p)
      gradients.push_back(added_up(by_part, work.inputs.size() + p));
    return gradients;
  }
};

}  // namespace

int64_t worthwhile_parts(const at::Tensor& x, int64_t items) {
  constexpr int64_t kSmallNumel = int64_t{1} << 20;
  if (!x.device().is_cpu() || at::in_parallel_region() || x.numel() > kSmallNumel) return 1;
  return std::clamp<int64_t>(at::get_num_threads(), 1, std::max<int64_t>(1, items));
}

std::vector<at::Tensor> run_in_parts(int64_t count, int64_t dim, const PartPiece& piece,
                                     const std::vector<at::Tensor>& cut,
                                     const std::vector<at::Tensor>& shared) {
  if (count <= 1) return piece(cut, shared);
  auto work = c10::make_intrusive<Work>();
  work->dim = dim;
  work->num_cut = cut.size();
  work->parts.resize(static_cast<size_t>(count));
  side_by_side(work->parts.size(), [&](size_t i) {
    Part& part = work->parts[i];
    variable_list mine, all;
    for (const at::Tensor& x : cut) mine.push_back(cut_leaf(x, dim, static_cast<int64_t>(i), count));
    for (const at::Tensor& x : shared) all.push_back(shared_leaf(x));
    part.outputs = piece(mine, all);
    part.leaves = std::move(mine);
    part.leaves.insert(part.leaves.end(), all.begin(), all.end());
  });
  const variable_list& outputs = work->parts.front().outputs;
  if (!at::GradMode::is_enabled() || std::none_of(outputs.begin(), outputs.end(), wants_gradient))
    return joined(*work);
  work->params = find_params(work->parts);
  variable_list all = cut, inputs;
  all.insert(all.end(), shared.begin(), shared.end());
  for (size_t i = 0; i < all.size(); ++i) {
    if (!wants_gradient(all[i])) continue;
    work->inputs.push_back(i);
    inputs.push_back(all[i]);
  }
  inputs.insert(inputs.end(), work->params.begin(), work->params.end());
  return PartsFunction::apply(work, at::TensorList(inputs));
}

}  // namespace zt::nn
