// SPDX-License-Identifier: Apache-2.0
// A run that would take longer than allowed ends early but well: its learning rate decays before the time is
// up. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "optim/lr_schedule.hpp"

namespace zt::train {

struct TimeCap {
  double cap_s = 0;          ///< 0 = none
  double decay_start = 0.6;  ///< share of cap_s after which the decay starts at the latest
};

struct Pace {
  int64_t step = 0;         ///< finished steps
  int64_t total_steps = 0;  ///< planned
  double elapsed_s = 0;     ///< of the whole run, earlier launches included
  double step_s = 0;        ///< mean seconds of a step, validation and saves included
};

/// The decay that a run at this pace needs now, if it needs one: from decay_start of the time on, when the
/// steps that are left do not fit the seconds that are left. It starts at this step and ends with the last
/// step that fits.
std::optional<optim::EarlyDecay> plan_early_decay(const TimeCap& cap, const Pace& pace);

/// Whether the time is up, whatever was planned.
bool is_over(const TimeCap& cap, double elapsed_s);

}  // namespace zt::train
