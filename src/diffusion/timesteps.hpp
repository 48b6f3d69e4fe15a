// SPDX-License-Identifier: Apache-2.0
// Which timesteps training sees, as a pure function of a uniform number (base/counter_rng.hpp gives it), so
// that the draw depends on seed, step and sample only.
#pragma once

#include <cstdint>

namespace zt::diffusion {

enum class TimestepLaw {
  Uniform,  ///< every timestep alike
  Power,    ///< floor(T (1 - u^power)): more of the noisy end, where a short training earns most
};

struct TimestepDistribution {
  TimestepLaw law = TimestepLaw::Uniform;
  double power = 3.0;  ///< Power only; 1 is uniform
};

/// Requires 0 <= u < 1, num_timesteps > 0, power > 0. Returns a timestep in [0, num_timesteps).
int64_t timestep_at(const TimestepDistribution& distribution, double u, int64_t num_timesteps);

}  // namespace zt::diffusion
