// SPDX-License-Identifier: Apache-2.0
// The steps that tests of the optimizer compare: among shards, and between devices.
#pragma once

#include <string>
#include <vector>

#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "support/param_store.hpp"

namespace zt::test {

/// 8-bit moments for parameters that are large enough.
inline params::PlacementRule eight_bit_moments() {
  return [](const params::ParamInfo& info) {
    return params::Placement{.optimizer_kind = static_cast<int>(optim::state_kind_8bit(info.numel()))};
  };
}

/// Three steps; the second does not reach the group "late".
inline void make_three_steps(params::ParamStore& store, optim::AdamW& adamw, optim::Ema& ema) {
  for (int step = 0; step < 3; ++step) {
    const std::vector<std::string> reached =
        step == 1 ? std::vector<std::string>{"net"} : std::vector<std::string>{"net", "late"};
    fill_gradients(store, reached, step);
    adamw.step({.lr = 1e-2, .gradient_scale = 0.5, .ema = &ema, .clear_gradients = true});
  }
}

}  // namespace zt::test
