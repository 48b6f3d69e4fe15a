// SPDX-License-Identifier: Apache-2.0
// State as a checkpoint stores it: parameters, and what an optimizer, an EMA or a loss scaler keeps. Tensors
// are live views, in logical element order whatever the memory layout: saving reads them, loading copies into
// them. Names are stable and do not depend on units, segments or world size, so that a state written by one
// layout loads into another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace zt::params {

/// One tensor of state, e.g. "optimizer.exp_avg/denoising_unet.conv_in.weight".
struct StateTensor {
  std::string name;
  at::Tensor value;
};
using StateVisitor = std::function<void(const StateTensor&)>;

/// One number of state, e.g. {"optimizer.step/denoising_unet", 1200}.
struct StateScalar {
  std::string name;
  std::variant<int64_t, double> value;
};

}  // namespace zt::params
