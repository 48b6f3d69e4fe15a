// SPDX-License-Identifier: Apache-2.0
// See projection.hpp.
#include "nn/rows/projection.hpp"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <optional>

#include "nn/internal/instruction_sets.hpp"
#include "nn/internal/with_element.hpp"
#include "nn/rows/internal/projection_kernel.hpp"
#include "nn/rows/internal/row_shares.hpp"
#include "tensor/require.hpp"

namespace zt::nn {
namespace {

using internal::kMostLayers;
using internal::ProjectionWeights;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Places of a call's tensors; what is absent is undefined.
enum Slot : size_t { kX, kNormWeight, kNormBias, kPositions, kResidual, kFirstWeight, kFirstBias };
constexpr size_t kSlots = kFirstWeight + 2 * static_cast<size_t>(kMostLayers);
constexpr size_t weight_slot(size_t layer) { return kFirstWeight + 2 * layer; }
constexpr size_t bias_slot(size_t layer) { return kFirstBias + 2 * layer; }

/// One call: its tensors by slot.
struct Call {
  variable_list tensors = variable_list(kSlots);
  double norm_eps = 0;
  int64_t num_layers = 0;

  const at::Tensor& x() const { return tensors[kX]; }
  int64_t width() const { return tensors[weight_slot(0)].size(1); }
  int64_t out_width(size_t layer) const { return tensors[weight_slot(layer)].size(0); }
};

/// The weights as the kernel reads them, and who owns them.
class KernelWeights {
 public:
  explicit KernelWeights(const Call& call) {
    view_.width = call.width(), view_.num_layers = call.num_layers;
    view_.norm = {keep(call, kNormWeight), keep(call, kNormBias), static_cast<float>(call.norm_eps)};
    view_.positions_FC = keep(call, kPositions);
    if (const at::Tensor& positions = call.tensors[kPositions]; positions.defined()) {
      view_.frames = positions.size(1);
      view_.rows_per_position = call.x().size(2);
    }
    for (size_t j = 0; j < static_cast<size_t>(call.num_layers); ++j)
      view_.layers[j] = {call.out_width(j), keep(call, weight_slot(j)), keep(call, bias_slot(j))};
  }
  const ProjectionWeights& view() const { return view_; }

 private:
  const float* keep(const Call& call, size_t slot) {
    if (!call.tensors[slot].defined()) return nullptr;
    kept_.push_back(internal::as_fp32(call.tensors[slot]));
    return kept_.back().const_data_ptr<float>();
  }
  variable_list kept_;
  ProjectionWeights view_;
};

std::vector<int64_t> sizes_with(const at::Tensor& x, int64_t width) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = width;
  return sizes;
}

variable_list run_forward(const Call& call) {
  const KernelWeights weights(call);
  const at::Tensor x = call.x().contiguous();
  const internal::Panels packed = internal::pack_forward(weights.view(), internal::forward_operands(x));
  const at::Tensor residual =
      call.tensors[kResidual].defined() ? call.tensors[kResidual].contiguous() : at::Tensor();
  variable_list outputs;
  for (size_t j = 0; j < static_cast<size_t>(call.num_layers); ++j)
    outputs.push_back(at::empty(sizes_with(x, call.out_width(j)), x.options().requires_grad(false)));
  internal::with_element(x, [&]<class Element>(Element) {
    internal::ProjectionForward<Element> run;
    run.weights = weights.view(), run.packed = &packed;
    run.x = static_cast<const Element*>(x.const_data_ptr());
    if (residual.defined()) run.residual = static_cast<const Element*>(residual.const_data_ptr());
    for (size_t j = 0; j < outputs.size(); ++j) run.out[j] = static_cast<Element*>(outputs[j].data_ptr());
    tensor::parallel_for(0, x.numel() / call.width(), internal::kRowsWorthAThread,
                         [&](int64_t first, int64_t last) { internal::project_rows(run, first, last); });
  });
  return outputs;
}

/// `wanted` by slot; x is undefined where it is not needed.
variable_list run_backward(const Call& call, const variable_list& out_gradients,
                           const std::array<bool, kSlots>& wanted) {
  const at::Tensor& like = out_gradients[0];
  const KernelWeights weights(call);
  const internal::Panels packed = internal::pack_backward(weights.view());
  const at::Tensor x = call.x().defined() ? call.x().contiguous() : at::Tensor();
  const int64_t rows = like.numel() / like.size(-1), shares = internal::count_shares(rows);
  variable_list of_weights(kSlots), gradients(kSlots);
  for (size_t slot = 0; slot < kSlots; ++slot)
    if (wanted[slot] && slot != kX && slot != kResidual) of_weights[slot] = call.tensors[slot];
  if (wanted[kNormWeight] || wanted[kNormBias])
    of_weights[kNormWeight] = call.tensors[kNormWeight], of_weights[kNormBias] = call.tensors[kNormBias];
  const internal::SharedGradients shared(of_weights, shares);
  if (wanted[kX]) gradients[kX] = at::empty(sizes_with(like, call.width()), like.options());
  internal::with_element(like, [&]<class Element>(Element) {
    internal::ProjectionBackward<Element> run;
    run.weights = weights.view(), run.packed = &packed;
    if (x.defined()) run.x = static_cast<const Element*>(x.const_data_ptr());
    for (size_t j = 0; j < out_gradients.size(); ++j)
      run.out_gradients[j] = static_cast<const Element*>(out_gradients[j].const_data_ptr());
    if (wanted[kX]) run.x_gradient = static_cast<Element*>(gradients[kX].data_ptr());
    internal::over_shares(shares, rows, [&](int64_t share, int64_t first, int64_t last) {
      auto mine = run;
      mine.gradients.norm = {shared.data(kNormWeight, share), shared.data(kNormBias, share)};
      for (size_t j = 0; j < out_gradients.size(); ++j)
        mine.gradients.layers[j] = {shared.data(weight_slot(j), share), shared.data(bias_slot(j), share)};
      internal::project_rows_backward(mine, first, last);
    });
  });
  for (size_t slot = 0; slot < kSlots; ++slot)
    if (wanted[slot] && slot != kX) gradients[slot] = slot == kResidual ? like : shared.total(slot);
  return gradients;
}

using OptionalTensor = std::optional<at::Tensor>;  ///< an edge of the graph only where there is one

class ProjectionFunction final : public torch::autograd::Function<ProjectionFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const OptionalTensor& norm_weight,
                               const OptionalTensor& norm_bias, const OptionalTensor& positions,
                               const OptionalTensor& residual, const at::Tensor& weight_0,
                               const OptionalTensor& bias_0, const OptionalTensor& weight_1,
                               const OptionalTensor& bias_1, const OptionalTensor& weight_2,
                               const OptionalTensor& bias_2, double norm_eps) {
    const auto tensor = [](const OptionalTensor& one) { return one.value_or(at::Tensor()); };
    Call call{{x, tensor(norm_weight), tensor(norm_bias), tensor(positions), tensor(residual), weight_0,
               tensor(bias_0), tensor(weight_1), tensor(bias_1), tensor(weight_2), tensor(bias_2)},
              norm_eps,
              1 + weight_1.has_value() + weight_2.has_value()};
    const variable_list outputs = run_forward(call);
    std::vector<bool> has_edge;
    bool needs_x = norm_weight.has_value();
    for (size_t slot = 0; slot < kSlots; ++slot) has_edge.push_back(call.tensors[slot].defined());
    for (size_t j = 0; j < outputs.size(); ++j)
      needs_x = needs_x || call.tensors[weight_slot(j)].requires_grad();
    call.tensors[kResidual] = at::Tensor();
    if (!needs_x) call.tensors[kX] = at::Tensor();
    ctx->save_for_backward(call.tensors);
    ctx->saved_data["norm_eps"] = norm_eps;
    ctx->saved_data["layers"] = call.num_layers;
    ctx->saved_data["has_edge"] = has_edge;
    return outputs;
  }

  static variable_list backward(AutogradContext* ctx, variable_list out_gradients) {
    const Call call{ctx->get_saved_variables(), ctx->saved_data["norm_eps"].toDouble(),
                    ctx->saved_data["layers"].toInt()};
    for (at::Tensor& gradient : out_gradients) gradient = gradient.contiguous();
    const auto has_edge = ctx->saved_data["has_edge"].toBoolList();
    std::array<bool, kSlots> wanted;
    size_t edge = 0;
    for (size_t slot = 0; slot < kSlots; ++slot)
      wanted[slot] = has_edge.get(slot) && ctx->needs_input_grad(edge++);
    variable_list gradients = run_backward(call, out_gradients, wanted);
    gradients.emplace_back();  // the epsilon has none
    return gradients;
  }
};

/// What autocast would give the layers.
at::Tensor as_computed(const at::Tensor& x) {
  if (!x.device().is_cpu() || !at::autocast::is_autocast_enabled(at::kCPU)) return x;
  return x.to(at::autocast::get_autocast_dtype(at::kCPU));
}

bool fits_kernel(const Call& call) {
  for (size_t j = 0; j < static_cast<size_t>(call.num_layers); ++j)
    if (!projection_fits_kernel(call.width(), call.out_width(j))) return false;
  return call.x().numel() > 0 && internal::runs_row_kernels(call.x().device(), call.x().scalar_type());
}

variable_list run(const Call& call) {
  const variable_list& t = call.tensors;
  const bool trains =
      at::GradMode::is_enabled() && std::any_of(t.begin(), t.end(), [](const at::Tensor& tensor) {
        return tensor.defined() && tensor.requires_grad();
      });
  if (!trains) return run_forward(call);
  const auto optional = [&](size_t slot) {
    return t[slot].defined() ? OptionalTensor(t[slot]) : std::nullopt;
  };
  return ProjectionFunction::apply(t[kX], optional(kNormWeight), optional(kNormBias), optional(kPositions),
                                   optional(kResidual), t[weight_slot(0)], optional(bias_slot(0)),
                                   optional(weight_slot(1)), optional(bias_slot(1)), optional(weight_slot(2)),
                                   optional(bias_slot(2)), call.norm_eps);
}

}  // namespace

bool cpu_has_row_kernels() { return internal::has_kernels(); }

bool projection_fits_kernel(int64_t in_width, int64_t out_width) {
  return in_width % internal::kWholeVectors == 0 && out_width % internal::kWholeVectors == 0 &&
         in_width * out_width <= internal::kMostWeights;
}

std::vector<at::Tensor> project(const ProjectionInput& input, std::initializer_list<const Linear*> layers) {
  ZT_REQUIRE(layers.size() > 0 && layers.size() <= kMostLayers, "one to three layers, not ", layers.size());
  Call call;
  call.num_layers = static_cast<int64_t>(layers.size());
  call.tensors[kX] = as_computed(input.x), call.tensors[kPositions] = input.positions_1F1C;
  if (input.norm) {
    call.tensors[kNormWeight] = input.norm->weight_D, call.tensors[kNormBias] = input.norm->bias_D;
    call.norm_eps = input.norm->eps;
  }
  size_t j = 0;
  for (const Linear* layer : layers) {
    call.tensors[weight_slot(j)] = layer->weight_OI.flatten(1), call.tensors[bias_slot(j)] = layer->bias_O;
    ++j;
  }
  if (fits_kernel(call)) return run(call);
  at::Tensor x = input.norm ? (*input.norm)(input.x) : input.x;
  if (input.positions_1F1C.defined()) x = x + input.positions_1F1C;
  std::vector<at::Tensor> outputs;
  for (const Linear* layer : layers)
    outputs.push_back(at::linear(x, layer->weight_OI.flatten(1), layer->bias_O));
  return outputs;
}

at::Tensor project_onto(const at::Tensor& residual, const at::Tensor& x, const Linear& layer) {
  Call call;
  call.num_layers = 1;
  call.tensors[kX] = as_computed(x), call.tensors[kResidual] = residual;
  call.tensors[weight_slot(0)] = layer.weight_OI.flatten(1), call.tensors[bias_slot(0)] = layer.bias_O;
  if (fits_kernel(call) && residual.scalar_type() == call.x().scalar_type() &&
      residual.sizes() == at::IntArrayRef(sizes_with(x, call.out_width(0))))
    return run(call)[0];
  return residual + layer(x);
}

}  // namespace zt::nn
