// SPDX-License-Identifier: Apache-2.0
// Linear layers and 2-D convolutions: a weight, a bias and one call.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "params/param_source.hpp"

namespace zt::nn {

struct Linear {
  struct Options {
    bool bias = true;
    bool zero_initialize = false;
  };
  Linear() = default;
  Linear(const params::ParamSource& source, int64_t in_width, int64_t out_width, Options options);
  Linear(const params::ParamSource& source, int64_t in_width, int64_t out_width)
      : Linear(source, in_width, out_width, Options{}) {}
  /// x (..., in) -> (..., out).
  at::Tensor operator()(const at::Tensor& x) const;

  at::Tensor weight_OI;
  at::Tensor bias_O;  ///< undefined without bias
};

struct Conv2d {
  struct Options {
    int64_t kernel = 3;
    int64_t stride = 1;
    int64_t padding = 1;
    bool bias = true;
    /// Start of the weight when it is not torch's default; the bias then starts at zero.
    std::optional<params::Init> weight_init = std::nullopt;
  };
  Conv2d() = default;
  Conv2d(const params::ParamSource& source, int64_t in_channels, int64_t out_channels, Options options);
  Conv2d(const params::ParamSource& source, int64_t in_channels, int64_t out_channels)
      : Conv2d(source, in_channels, out_channels, Options{}) {}
  at::Tensor operator()(const at::Tensor& x_NCHW) const;

  at::Tensor weight_OIHW;
  at::Tensor bias_O;  ///< undefined without bias
  int64_t stride = 1;
  int64_t padding = 1;
};

}  // namespace zt::nn
