// SPDX-License-Identifier: Apache-2.0
// See attention.hpp.
#include "nn/attention/attention.hpp"

#include <ATen/ATen.h>

#include "tensor/require.hpp"

namespace zt::nn {
Attention::Attention(const params::ParamSource& source, const Options& options) : heads(options.heads) {
  const int64_t inner = options.inner_width > 0 ? options.inner_width : options.width;
  ZT_REQUIRE(inner % heads == 0, "attention width ", inner, " does not divide into ", heads, " heads");
  to_q = Linear(source.child("to_q"), options.width, inner, {.bias = options.qkv_bias});
  to_k = Linear(source.child("to_k"), options.context_width, inner, {.bias = options.qkv_bias});
  to_v = Linear(source.child("to_v"), options.context_width, inner, {.bias = options.qkv_bias});
  to_out = Linear(source.child("to_out.0"), inner, options.width);
}

at::Tensor Attention::forward(const at::Tensor& x_NSC, const at::Tensor& context_NTD) const {
  return to_out(attend(to_q(x_NSC), to_k(context_NTD), to_v(context_NTD), heads));
}

at::Tensor Attention::forward_single_token(const at::Tensor& context_B1D) const {
  return to_out(to_v(context_B1D));
}

at::Tensor Attention::attend_to_itself(const ProjectionInput& input) const {
  const std::vector<at::Tensor> qkv = project(input, {&to_q, &to_k, &to_v});
  const bool has_frames = input.x.dim() == 4;
  return (has_frames ? attend_over_frames : attend)(qkv[0], qkv[1], qkv[2], heads);
}

at::Tensor reference_attention(const Attention& attention, const ProjectionInput& input,
                               const ReferenceKeys& reference, const ReferenceRows& rows, int64_t frames) {
  if (!rows.any()) return attention.attend_to_itself(input);
  const std::vector<at::Tensor> qkv = project(input, {&attention.to_q, &attention.to_k, &attention.to_v});
  const at::Tensor &q = qkv[0], &k = qkv[1], &v = qkv[2];
  const auto with = [&](const at::Tensor& own, const at::Tensor& bank) {
    return at::cat({rows.select_with(own, frames), rows.rows(bank, frames).to(own.scalar_type())}, 1);
  };
  const at::Tensor referred = attend(rows.select_with(q, frames), with(k, reference.key_RTC),
                                     with(v, reference.value_RTC), attention.heads);
  if (rows.all()) return referred;
  const at::Tensor alone = attend(rows.select_without(q, frames), rows.select_without(k, frames),
                                  rows.select_without(v, frames), attention.heads);
  return rows.merge(referred, alone, frames);
}

}  // namespace zt::nn
