// SPDX-License-Identifier: Apache-2.0
// See linear.hpp.
#include "nn/linear.hpp"

#include <ATen/ATen.h>

namespace zt::nn {

Linear::Linear(const params::ParamSource& source, int64_t in_width, int64_t out_width, Options options) {
  const auto init = options.zero_initialize ? params::Init::zeros() : params::Init::fan_in(in_width);
  weight_OI = source.parameter("weight", {out_width, in_width}, init);
  if (options.bias) bias_O = source.parameter("bias", {out_width}, init);
}

at::Tensor Linear::operator()(const at::Tensor& x) const { return at::linear(x, weight_OI, bias_O); }

Conv2d::Conv2d(const params::ParamSource& source, int64_t in_channels, int64_t out_channels, Options options)
    : stride(options.stride), padding(options.padding) {
  const auto fan_in = params::Init::fan_in(in_channels * options.kernel * options.kernel);
  weight_OIHW = source.parameter("weight", {out_channels, in_channels, options.kernel, options.kernel},
                                 options.weight_init.value_or(fan_in));
  if (options.bias) {
    bias_O = source.parameter("bias", {out_channels}, options.weight_init ? params::Init::zeros() : fan_in);
  }
}

at::Tensor Conv2d::operator()(const at::Tensor& x_NCHW) const {
  return at::conv2d(x_NCHW, weight_OIHW, bias_O, {stride, stride}, {padding, padding});
}

}  // namespace zt::nn
