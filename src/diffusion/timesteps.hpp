// SPDX-License-Identifier: Apache-2.0
// Which timesteps training sees, as a pure function of a uniform number (base/counter_rng.hpp gives it), so
// that the draw depends on seed, step and sample only.
#pragma once

#include <cstdint>

#include "config/job/schedule_job.hpp"

namespace zt::diffusion {

/// Uniform: floor(T u). Power: floor(T (1 - u^power)), more of the noisy end, where a short training earns
/// most; power 1 is uniform again. Requires 0 <= u < 1, num_timesteps > 0, power > 0. Returns a timestep in
/// [0, num_timesteps).
int64_t timestep_at(config::TimestepDistribution distribution, double power, double u, int64_t num_timesteps);

}  // namespace zt::diffusion
