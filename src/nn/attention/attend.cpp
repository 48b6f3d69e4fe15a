// SPDX-License-Identifier: Apache-2.0
// attend and attend_over_frames of attention.hpp: on a CPU by the kernel of internal/attention_kernel.hpp
// where it fits, else by libtorch.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "nn/attention/attention.hpp"
#include "nn/attention/internal/attention_kernel.hpp"
#include "nn/internal/instruction_sets.hpp"
#include "nn/internal/with_element.hpp"
#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::nn {
namespace {

using internal::AttentionSizes;
using internal::TokenArray;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kTokenDim = 1;  ///< of (N, S, C) and of (B, F, S, C)
constexpr int64_t kLargestHead = 256;

/// Where positions are a second batch dimension: (B, F, S, C).
bool has_positions(const at::Tensor& x) { return x.dim() == 4; }

AttentionSizes sizes_of(const at::Tensor& q, const at::Tensor& k, int64_t heads) {
  AttentionSizes sizes;
  sizes.outer = q.size(0);
  sizes.inner = has_positions(q) ? q.size(2) : 1;
  sizes.heads = heads;
  sizes.queries = q.size(kTokenDim);
  sizes.keys = k.size(kTokenDim);
  sizes.head_dim = q.size(-1) / heads;
  sizes.scale = 1 / std::sqrt(static_cast<float>(sizes.head_dim));
  return sizes;
}

template <class Element>
TokenArray<Element> array_of(const at::Tensor& x) {
  return {static_cast<Element*>(x.data_ptr()), x.stride(0), has_positions(x) ? x.stride(2) : 0,
          x.stride(kTokenDim)};
}

/// Runs body(first, last) over all jobs on libtorch's threads.
template <class Body>
void over_jobs(const AttentionSizes& sizes, const Body& body) {
  constexpr int64_t kWorthAThread = int64_t{1} << 17;  // products
  const int64_t products = std::max<int64_t>(1, sizes.queries * sizes.keys * sizes.head_dim);
  tensor::parallel_for(0, sizes.jobs(), std::max<int64_t>(1, kWorthAThread / products), body);
}

/// The attention, and each row's log-sum-exp if `logsumexp` is defined.
at::Tensor run_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads,
                       const at::Tensor& logsumexp) {
  const AttentionSizes sizes = sizes_of(q, k, heads);
  at::Tensor out = at::empty(q.sizes(), q.options());
  internal::with_element(q, [&]<class Element>(Element) {
    internal::AttentionForward<Element> call;
    call.sizes = sizes;
    call.q = array_of<const Element>(q), call.k = array_of<const Element>(k);
    call.v = array_of<const Element>(v), call.out = array_of<Element>(out);
    call.logsumexp = logsumexp.defined() ? logsumexp.data_ptr<float>() : nullptr;
    over_jobs(sizes, [&](int64_t first, int64_t last) { internal::attention_forward(call, first, last); });
  });
  return out;
}

/// Gradients of q, k and v.
variable_list run_backward(const variable_list& saved, const at::Tensor& out_gradient, int64_t heads) {
  const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2];
  const AttentionSizes sizes = sizes_of(q, k, heads);
  const variable_list gradients = {at::empty(q.sizes(), q.options()), at::empty(k.sizes(), k.options()),
                                   at::empty(v.sizes(), v.options())};
  internal::with_element(q, [&]<class Element>(Element) {
    internal::AttentionBackward<Element> call;
    call.sizes = sizes;
    call.q = array_of<const Element>(q), call.k = array_of<const Element>(k);
    call.v = array_of<const Element>(v), call.out = array_of<const Element>(saved[3]);
    call.out_gradient = array_of<const Element>(out_gradient);
    call.logsumexp = saved[4].const_data_ptr<float>();
    call.q_gradient = array_of<Element>(gradients[0]), call.k_gradient = array_of<Element>(gradients[1]);
    call.v_gradient = array_of<Element>(gradients[2]);
    over_jobs(sizes, [&](int64_t first, int64_t last) { internal::attention_backward(call, first, last); });
  });
  return gradients;
}

class AttendFunction final : public torch::autograd::Function<AttendFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, int64_t heads) {
    const at::Tensor logsumexp =
        at::empty({sizes_of(q, k, heads).jobs(), q.size(kTokenDim)}, q.options().dtype(at::kFloat));
    const at::Tensor out = run_forward(q, k, v, heads, logsumexp);
    ctx->save_for_backward({q, k, v, out, logsumexp});
    ctx->saved_data["heads"] = heads;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& out_gradients) {
    variable_list gradients = run_backward(ctx->get_saved_variables(), out_gradients[0].contiguous(),
                                           ctx->saved_data["heads"].toInt());
    gradients.emplace_back();  // the number of heads has none
    return gradients;
  }
};

/// Few long jobs on many threads are libtorch's: it divides a job.
bool fits_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
  static const bool has_kernel = internal::has_kernels();
  const auto same = [&](const at::Tensor& x) {
    return x.device().is_cpu() && x.scalar_type() == q.scalar_type() && x.stride(-1) == 1 && x.numel() > 0;
  };
  return has_kernel && (q.scalar_type() == at::kFloat || q.scalar_type() == at::kBFloat16) && same(q) &&
         same(k) && same(v) && q.size(-1) / heads <= kLargestHead &&
         sizes_of(q, k, heads).jobs() >= at::get_num_threads();
}

at::Tensor run(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
  const bool trains =
      at::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
  return trains ? AttendFunction::apply(q, k, v, heads) : run_forward(q, k, v, heads, {});
}

at::Tensor split_heads(const at::Tensor& x_NSC, int64_t heads) {
  return x_NSC.view({x_NSC.size(0), x_NSC.size(1), heads, x_NSC.size(2) / heads}).transpose(1, 2);
}

void check_heads(const at::Tensor& q, int64_t heads) {
  ZT_REQUIRE(q.size(-1) % heads == 0, q, " does not divide into ", heads, " heads");
}

}  // namespace

at::Tensor attend(const at::Tensor& q_NSC, const at::Tensor& k_NTC, const at::Tensor& v_NTC, int64_t heads) {
  check_heads(q_NSC, heads);
  if (fits_kernel(q_NSC, k_NTC, v_NTC, heads)) return run(q_NSC, k_NTC, v_NTC, heads);
  const at::Tensor out = at::scaled_dot_product_attention(
      split_heads(q_NSC, heads), split_heads(k_NTC, heads), split_heads(v_NTC, heads));
  return out.transpose(1, 2).reshape(q_NSC.sizes());
}

at::Tensor attend_over_frames(const at::Tensor& q_BFSC, const at::Tensor& k_BFSC, const at::Tensor& v_BFSC,
                              int64_t heads) {
  check_heads(q_BFSC, heads);
  if (fits_kernel(q_BFSC, k_BFSC, v_BFSC, heads)) return run(q_BFSC, k_BFSC, v_BFSC, heads);
  const auto by_position = [](const at::Tensor& x) {
    return x.transpose(1, 2).reshape({-1, x.size(1), x.size(3)});
  };
  const at::Tensor out = attend(by_position(q_BFSC), by_position(k_BFSC), by_position(v_BFSC), heads);
  return out.view({q_BFSC.size(0), q_BFSC.size(2), q_BFSC.size(1), q_BFSC.size(3)}).transpose(1, 2);
}

}  // namespace zt::nn
