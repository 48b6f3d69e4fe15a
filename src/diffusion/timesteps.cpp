// SPDX-License-Identifier: Apache-2.0
#include "diffusion/timesteps.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/require.hpp"

namespace zt::diffusion {

int64_t timestep_at(config::TimestepDistribution distribution, double power, double u,
                    int64_t num_timesteps) {
  ZT_REQUIRE(u >= 0 && u < 1 && num_timesteps > 0 && power > 0, "u ", u, ", ", num_timesteps,
             " timesteps, power ", power);
  const double share = distribution == config::TimestepDistribution::Power ? 1 - std::pow(u, power) : u;
  const auto timestep = static_cast<int64_t>(std::floor(static_cast<double>(num_timesteps) * share));
  return std::clamp<int64_t>(timestep, 0, num_timesteps - 1);
}

}  // namespace zt::diffusion
