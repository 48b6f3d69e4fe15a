// SPDX-License-Identifier: Apache-2.0
// See sine_positions.hpp.
#include "tensor/sine_positions.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace zt::tensor {

at::Tensor sine_positions(int64_t positions, int64_t width) {
  const at::Tensor position = at::arange(positions, at::kFloat).unsqueeze(1);
  const double step = -std::log(10000.0) / static_cast<double>(width);
  const at::Tensor angle = position * at::exp(at::arange(0, width, 2, at::kFloat) * step);
  at::Tensor out_PD = at::empty({positions, width}, at::kFloat);
  out_PD.slice(1, 0, width, 2).copy_(at::sin(angle));
  out_PD.slice(1, 1, width, 2).copy_(at::cos(angle).slice(1, 0, width / 2));
  return out_PD;
}

}  // namespace zt::tensor
