// SPDX-License-Identifier: Apache-2.0
// A LayerNorm's parameters for the CPU kernels, C numbers each.
#pragma once

namespace zt::nn::internal {

struct NormWeights {
  const float *weight_C = nullptr, *bias_C = nullptr;
  float eps = 0;
};
struct NormGradients {
  float *weight_C = nullptr, *bias_C = nullptr;
};

}  // namespace zt::nn::internal
