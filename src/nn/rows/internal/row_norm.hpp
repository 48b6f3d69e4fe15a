// SPDX-License-Identifier: Apache-2.0
// LayerNorm of a row and its gradient, for the CPU kernels. Rows are multiples of W wide.
#pragma once

#include <cmath>
#include <cstdint>

#include "nn/internal/tiles.hpp"
#include "nn/rows/internal/norm_weights.hpp"

namespace zt::nn::internal {

/// Turns a row into (x - mean) / deviation; returns 1 / deviation.
template <int W>
ZT_INLINE float standardize(float* x, int64_t width, float eps) {
  Floats<W> total = {}, squares = {}, v;
  for (int64_t c = 0; c < width; c += W) load<W>(v, x + c), total += v;
  const float mean = sum<W>(total) / static_cast<float>(width);
  for (int64_t c = 0; c < width; c += W) {
    load<W>(v, x + c);
    v -= mean;
    squares += v * v;
    store<W>(x + c, v);
  }
  const float inverse_deviation = 1 / std::sqrt(sum<W>(squares) / static_cast<float>(width) + eps);
  for (int64_t c = 0; c < width; c += W) {
    load<W>(v, x + c);
    store<W>(x + c, v * inverse_deviation);
  }
  return inverse_deviation;
}

template <int W, class Operand>
ZT_INLINE void scale_and_shift(const float* x, const NormWeights& norm, int64_t width, Operand* into) {
  Floats<W> v, weight, bias;
  for (int64_t c = 0; c < width; c += W) {
    load<W>(v, x + c), load<W>(weight, norm.weight_C + c), load<W>(bias, norm.bias_C + c);
    store_operand<W>(into + c, v * weight + bias);
  }
}

/// Adds to `gradient` that of the row before the norm; `standard`: the row after standardize.
template <int W>
ZT_INLINE void norm_backward(const NormWeights& norm, int64_t width, const float* standard,
                             const float* normed_gradient, float inverse_deviation, float* gradient) {
  Floats<W> total = {}, products = {}, g, x, weight;
  for (int64_t c = 0; c < width; c += W) {
    load<W>(g, normed_gradient + c), load<W>(x, standard + c), load<W>(weight, norm.weight_C + c);
    g *= weight;
    total += g;
    products += g * x;
  }
  const float mean = sum<W>(total) / static_cast<float>(width);
  const float mean_product = sum<W>(products) / static_cast<float>(width);
  for (int64_t c = 0; c < width; c += W) {
    Floats<W> into;
    load<W>(g, normed_gradient + c), load<W>(x, standard + c), load<W>(weight, norm.weight_C + c);
    load<W>(into, gradient + c);
    store<W>(gradient + c, into + (g * weight - mean - x * mean_product) * inverse_deviation);
  }
}

}  // namespace zt::nn::internal
