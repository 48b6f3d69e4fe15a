// SPDX-License-Identifier: Apache-2.0
// See norm.hpp.
#include "nn/norm.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <optional>

#include "tensor/require.hpp"

namespace zt::nn {
namespace {

/// A GPU's autocast has norms read and give fp32, which is twice the memory traffic; the kernels add up in
/// fp32 whatever they read. Their parameters must then be of the same type.
struct OwnType {
  OwnType(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C)
      : weight(weight_C), bias(bias_C) {
    if (x.is_cpu()) return;
    no_autocast.emplace(c10::autocast_dispatch_keyset);
    weight = weight_C.to(x.scalar_type());
    bias = bias_C.to(x.scalar_type());
  }
  at::Tensor weight, bias;
  std::optional<c10::impl::ExcludeDispatchKeyGuard> no_autocast;
};

}  // namespace

GroupNorm::GroupNorm(const params::ParamSource& source, int64_t groups, int64_t channels, double epsilon)
    : weight_C(source.parameter("weight", {channels}, params::Init::ones())),
      bias_C(source.parameter("bias", {channels}, params::Init::zeros())),
      num_groups(groups),
      eps(epsilon) {
  ZT_REQUIRE(groups > 0 && channels % groups == 0, channels, " channels do not divide into ", groups,
             " groups");
}

at::Tensor GroupNorm::operator()(const at::Tensor& x_NCHW) const {
  // libtorch 2.13's backward for channels-last pictures writes the input's gradient through a null pointer
  // where none is wanted (a trained norm behind frozen layers). Its kernel for contiguous ones asks first.
  const bool wants_no_input_gradient =
      at::GradMode::is_enabled() && weight_C.requires_grad() && !x_NCHW.requires_grad();
  const OwnType own(x_NCHW, weight_C, bias_C);
  return at::group_norm(wants_no_input_gradient ? x_NCHW.contiguous() : x_NCHW, num_groups, own.weight,
                        own.bias, eps);
}

at::Tensor GroupNorm::over_frames(const at::Tensor& x_NCHW, int64_t frames) const {
  if (frames == 1) return (*this)(x_NCHW);
  const int64_t channels = x_NCHW.size(1), height = x_NCHW.size(2), width = x_NCHW.size(3);
  const at::Tensor x_BCFHW = x_NCHW.view({-1, frames, channels, height, width}).transpose(1, 2);
  return (*this)(x_BCFHW.contiguous()).transpose(1, 2).reshape(x_NCHW.sizes());
}

LayerNorm::LayerNorm(const params::ParamSource& source, int64_t width, double epsilon)
    : weight_D(source.parameter("weight", {width}, params::Init::ones())),
      bias_D(source.parameter("bias", {width}, params::Init::zeros())),
      eps(epsilon) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  const OwnType own(x, weight_D, bias_D);
  return at::layer_norm(x, weight_D.sizes(), own.weight, own.bias, eps);
}

}  // namespace zt::nn
