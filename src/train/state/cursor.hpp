// SPDX-License-Identifier: Apache-2.0
// Where a run is, besides its weights: the numbers that a resume needs to go on as if nothing had happened.
// Each is a named scalar of the checkpoint.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "diffusion/loss.hpp"
#include "optim/lr_schedule.hpp"
#include "params/state.hpp"
#include "train/state/numeric_guard.hpp"

namespace zt::train {

/// Buckets of train/loss_t.
inline constexpr int64_t kLossBuckets = 10;

struct Cursor {
  int64_t step = 0;          ///< optimizer steps done, skipped ones included
  uint64_t next_sample = 0;  ///< global number
  double elapsed_s = 0;      ///< of training, all launches together
  double best_loss = std::numeric_limits<double>::infinity();  ///< lowest validation loss
  std::optional<optim::EarlyDecay> early_decay;                ///< a time cap moved the decay
  double decay_cap_s = 0;                                      ///< that time cap; 0 without early_decay
  diffusion::TimestepLosses losses;                            ///< moving averages by timestep
  diffusion::TimestepLosses loss;                              ///< of all timesteps together
  ClipFaults clips;
  int64_t data_set = 0;  ///< whose order next_sample and clips count in (data_set_number()); 0: unknown

  explicit Cursor(int64_t num_timesteps);
};

/// Of a data set's digest, as a scalar holds it: positive; 0 without one.
int64_t data_set_number(std::string_view digest);

/// Forgets a decay that was planned for another time cap than the run has now: the end is planned again.
void drop_decay_of_other_cap(Cursor& cursor, double time_cap_s);

std::vector<params::StateScalar> to_scalars(const Cursor& cursor);
/// Errors: Corrupt, naming the scalar that is missing or impossible.
Result<Cursor> cursor_from_scalars(const std::vector<params::StateScalar>& scalars, int64_t num_timesteps);

}  // namespace zt::train
