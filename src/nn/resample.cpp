// SPDX-License-Identifier: Apache-2.0
// See resample.hpp.
#include "nn/resample.hpp"

#include <ATen/ATen.h>

namespace zt::nn {

at::Tensor upsample(const at::Tensor& x_NCHW, int64_t height, int64_t width, const Conv2d& conv) {
  return conv(at::upsample_nearest2d(x_NCHW, {height, width}));
}

at::Tensor downsample_asymmetric(const at::Tensor& x_NCHW, const Conv2d& conv) {
  return conv(at::constant_pad_nd(x_NCHW, {0, 1, 0, 1}));
}

}  // namespace zt::nn
