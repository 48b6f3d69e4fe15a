// SPDX-License-Identifier: Apache-2.0
// See feed_forward.hpp.
#include "nn/rows/feed_forward.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>

#include "nn/internal/with_element.hpp"
#include "nn/rows/internal/feed_forward_kernel.hpp"
#include "nn/rows/internal/row_shares.hpp"
#include "tensor/parallel.hpp"

namespace zt::nn {
namespace {

using internal::FeedForwardWeights;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr size_t kWeights = 6;  ///< of the norm and the two layers

/// x and the weights, in the order of the kernel's structures.
struct Inputs {
  at::Tensor x;
  std::array<at::Tensor, kWeights> weights;
};

/// The weights as the kernel reads them, and who owns them.
class KernelWeights {
 public:
  KernelWeights(const std::array<at::Tensor, kWeights>& weights, double norm_eps) {
    for (size_t i = 0; i < weights.size(); ++i) kept_[i] = internal::as_fp32(weights[i]);
    view_.width = kept_[0].numel(), view_.hidden = kept_[4].size(1);
    view_.norm = {data(0), data(1), static_cast<float>(norm_eps)};
    view_.proj_weight_GC = data(2), view_.proj_bias_G = data(3);
    view_.out_weight_CH = data(4), view_.out_bias_C = data(5);
  }
  const FeedForwardWeights& view() const { return view_; }

 private:
  const float* data(size_t i) const { return kept_[i].const_data_ptr<float>(); }
  std::array<at::Tensor, kWeights> kept_;
  FeedForwardWeights view_;
};

at::Tensor run_forward(const Inputs& inputs, double norm_eps) {
  const KernelWeights weights(inputs.weights, norm_eps);
  const at::Tensor x = inputs.x.contiguous();
  at::Tensor out = at::empty(x.sizes(), x.options());
  const internal::Panels packed = internal::pack_forward(weights.view(), internal::forward_operands(x));
  internal::with_element(x, [&]<class Element>(Element) {
    internal::FeedForwardForward<Element> call;
    call.weights = weights.view(), call.packed = &packed;
    call.x = static_cast<const Element*>(x.const_data_ptr());
    call.out = static_cast<Element*>(out.data_ptr());
    tensor::parallel_for(0, x.numel() / call.weights.width, internal::kRowsWorthAThread,
                         [&](int64_t first, int64_t last) { internal::feed_forward(call, first, last); });
  });
  return out;
}

/// Gradients of x and, where wanted, of the weights; undefined else.
variable_list run_backward(const Inputs& inputs, const at::Tensor& out_gradient, double norm_eps,
                           const std::array<bool, kWeights>& wanted) {
  const KernelWeights weights(inputs.weights, norm_eps);
  const at::Tensor x = inputs.x.contiguous();
  const int64_t rows = x.numel() / weights.view().width;
  const int64_t shares = internal::count_shares(rows);
  const bool any = std::any_of(wanted.begin(), wanted.end(), [](bool is) { return is; });
  const internal::SharedGradients shared(
      any ? std::vector(inputs.weights.begin(), inputs.weights.end()) : std::vector<at::Tensor>(kWeights),
      shares);
  const internal::Panels packed = internal::pack_forward(weights.view(), internal::Operands::kFp32),
                         packed_backward = internal::pack_backward(weights.view());
  variable_list gradients = {at::empty(x.sizes(), x.options())};
  internal::with_element(x, [&]<class Element>(Element) {
    internal::FeedForwardBackward<Element> call;
    call.weights = weights.view();
    call.packed = &packed, call.packed_backward = &packed_backward;
    call.x = static_cast<const Element*>(x.const_data_ptr());
    call.out_gradient = static_cast<const Element*>(out_gradient.const_data_ptr());
    call.x_gradient = static_cast<Element*>(gradients[0].data_ptr());
    internal::over_shares(shares, rows, [&](int64_t share, int64_t first, int64_t last) {
      const auto data = [&](size_t i) { return shared.data(i, share); };
      auto mine = call;
      mine.gradients = {{data(0), data(1)}, data(2), data(3), data(4), data(5)};
      internal::feed_forward_backward(mine, first, last);
    });
  });
  for (size_t i = 0; i < wanted.size(); ++i) gradients.push_back(wanted[i] ? shared.total(i) : at::Tensor());
  return gradients;
}

class FeedForwardFunction final : public torch::autograd::Function<FeedForwardFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& norm_weight,
                            const at::Tensor& norm_bias, const at::Tensor& proj_weight,
                            const at::Tensor& proj_bias, const at::Tensor& out_weight,
                            const at::Tensor& out_bias, double norm_eps) {
    ctx->save_for_backward({x, norm_weight, norm_bias, proj_weight, proj_bias, out_weight, out_bias});
    ctx->saved_data["norm_eps"] = norm_eps;
    return run_forward({x, {norm_weight, norm_bias, proj_weight, proj_bias, out_weight, out_bias}}, norm_eps);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& out_gradients) {
    const variable_list saved = ctx->get_saved_variables();
    Inputs inputs{saved[0], {}};
    std::array<bool, kWeights> wanted;
    for (size_t i = 0; i < wanted.size(); ++i) {
      inputs.weights[i] = saved[i + 1];
      wanted[i] = ctx->needs_input_grad(i + 1);
    }
    variable_list gradients =
        run_backward(inputs, out_gradients[0].contiguous(), ctx->saved_data["norm_eps"].toDouble(), wanted);
    gradients.emplace_back();  // the epsilon has none
    return gradients;
  }
};

bool fits_kernel(const at::Tensor& x) {
  return x.numel() > 0 && internal::runs_row_kernels(x.device(), x.scalar_type()) &&
         feed_forward_fits_kernel(x.size(-1));
}

}  // namespace

bool feed_forward_fits_kernel(int64_t width) {
  return width % internal::kWholeVectors == 0 && 12 * width * width <= internal::kMostWeights;
}

FeedForward::FeedForward(const params::ParamSource& source, int64_t width)
    : proj(source.child("net.0.proj"), width, 8 * width), out(source.child("net.2"), 4 * width, width) {}

at::Tensor FeedForward::operator()(const at::Tensor& x_BSC) const {
  const std::vector<at::Tensor> value_and_gate = proj(x_BSC).chunk(2, -1);
  return out(value_and_gate[0] * at::gelu(value_and_gate[1]));
}

at::Tensor FeedForward::add_to(const at::Tensor& x, const LayerNorm& norm) const {
  if (!fits_kernel(x)) return x + (*this)(norm(x));
  const Inputs inputs{x,
                      {norm.weight_D, norm.bias_D, proj.weight_OI, proj.bias_O, out.weight_OI, out.bias_O}};
  const auto& w = inputs.weights;
  const bool trains = at::GradMode::is_enabled() &&
                      (x.requires_grad() || std::any_of(w.begin(), w.end(), [](const at::Tensor& weight) {
                         return weight.requires_grad();
                       }));
  if (!trains) return run_forward(inputs, norm.eps);
  return FeedForwardFunction::apply(x, w[0], w[1], w[2], w[3], w[4], w[5], norm.eps);
}

}  // namespace zt::nn
