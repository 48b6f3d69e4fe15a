// SPDX-License-Identifier: Apache-2.0
// What ranks keep whole of each unit. With ZeRO-3 a unit's weights are gathered before every use, which costs
// nothing where the use takes longer than the gather: each weight is used once per position, so what decides
// is the unit's number of positions, not its size. A UNet's deepest levels hold most of the weights and see
// the fewest positions: there gathering costs the most time, and keeping them the most memory.
#pragma once

#include <cstdint>
#include <string>

#include "config/job/train_job.hpp"
#include "params/param_store.hpp"
#include "train/ranks/ranks.hpp"

namespace zt::train {

/// What a network's sizes are besides the job's.
struct UNetSizes {
  int64_t levels = 1;
  int64_t scale_factor = 8;  ///< pixels per latent, of a side
};
/// Positions (pictures x height x width) at which the unit works in one forward pass.
int64_t positions_of(const std::string& unit, const config::TrainJob& job, const UNetSizes& sizes);

/// What a rank computes and receives in a second.
struct Speeds {
  double flops = 0;  ///< that a UNet reaches where the ranks compute, in the type that they compute in
  double bytes = 0;
  double weight_bytes = 4;  ///< of each that trains
};
/// Fewer positions than these are worked through before the weights for them arrive: 2 P T / flops, against
/// weight_bytes P (N - 1) / N / bytes for P weights on N ranks.
double break_even_positions(const Speeds& speeds, int64_t ranks);

/// Measured on all ranks at once (some 50 ms), the same numbers on all: the first rank's. Errors: those of
/// Ranks.
Result<Speeds> measure_speeds(Ranks& ranks, at::Device device, const config::PrecisionJob& precision);

/// Errors: InvalidConfig if a text of parallel.keep_whole or parallel.units is part of no unit's name.
Status check_named_units(const config::ParallelJob& job, const params::ParamTable& table);

/// Whether a rank of so many adds up whole gradients of several passes before they are exchanged.
bool adds_up_gradients(const config::TrainJob& job, int64_t ranks);

/// What config::sharing_of() says, but gradients are whole where a rank adds up several, and values in units
/// with fewer positions than `fewest_positions`.
params::ResidencyRule residency_rule(const config::TrainJob& job, const Ranks& ranks, const UNetSizes& sizes,
                                     double fewest_positions = 0);

}  // namespace zt::train
