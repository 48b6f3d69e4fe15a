// SPDX-License-Identifier: Apache-2.0
// The UNet's halving and doubling of a feature map.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/linear.hpp"

namespace zt::nn {

/// Nearest-neighbour resize to exactly (height, width): source index = floor(i * in / out). Then a 3x3
/// convolution.
at::Tensor upsample(const at::Tensor& x_NCHW, int64_t height, int64_t width, const Conv2d& conv);

/// 3x3 convolution of stride 2 after padding one row below and one column to the right (the VAE encoder's
/// form).
at::Tensor downsample_asymmetric(const at::Tensor& x_NCHW, const Conv2d& conv);

}  // namespace zt::nn
