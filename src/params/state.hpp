// SPDX-License-Identifier: Apache-2.0
// State as a checkpoint stores it: parameters, and what an optimizer, an EMA or a loss scaler keeps. Tensors
// are live views, in logical element order whatever the memory layout: saving reads them, loading copies into
// them. Names are stable and do not depend on units, segments or world size, so that a state written by one
// layout loads into another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "params/shard.hpp"

namespace zt::params {

/// Where the elements of a rank's piece lie in the whole tensor.
struct Piece {
  std::vector<int64_t> whole_shape;
  int64_t begin = 0;  ///< in logical (row-major) order
};

/// One tensor of state, e.g. "optimizer.exp_avg/denoising_unet.conv_in.weight", or a rank's flat piece of it.
struct StateTensor {
  std::string name;
  at::Tensor value;
  std::optional<Piece> piece = std::nullopt;  ///< nothing: `value` is the whole tensor
};
using StateVisitor = std::function<void(const StateTensor&)>;

/// Calls `visitor` with what `flat`, elements `held` of a flat row, holds of the tensor at `place` of that
/// row; not at all if that is nothing.
void visit_held(const StateVisitor& visitor, std::string name, const at::Tensor& flat, Range held,
                Range place, const std::vector<int64_t>& shape);

/// One number of state, e.g. {"optimizer.step/denoising_unet", 1200}.
struct StateScalar {
  std::string name;
  std::variant<int64_t, double> value;
};

/// The number of that name. Errors: Corrupt if there is none.
Result<double> find_number(const std::vector<StateScalar>& scalars, std::string_view name);
/// The same; also Corrupt if it is not an integer >= 0.
Result<int64_t> find_count(const std::vector<StateScalar>& scalars, std::string_view name);
/// The same; also Corrupt if it is not finite and > 0.
Result<double> find_positive(const std::vector<StateScalar>& scalars, std::string_view name);

}  // namespace zt::params
