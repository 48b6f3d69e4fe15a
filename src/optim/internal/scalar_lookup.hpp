// SPDX-License-Identifier: Apache-2.0
// Finds numbers of a checkpoint by name.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "params/state.hpp"

namespace zt::optim::internal {

/// Errors: Corrupt if there is none of that name, or if it is no integer >= 0.
Result<int64_t> find_count(const std::vector<params::StateScalar>& scalars, std::string_view name);
/// Errors: Corrupt if there is none of that name, or if it is not finite and > 0.
Result<double> find_positive(const std::vector<params::StateScalar>& scalars, std::string_view name);

}  // namespace zt::optim::internal
