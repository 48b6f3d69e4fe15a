// SPDX-License-Identifier: Apache-2.0
// See time_cap.hpp.
#include "train/time_cap.hpp"

#include <algorithm>
#include <cmath>

namespace zt::train {

std::optional<optim::EarlyDecay> plan_early_decay(const TimeCap& cap, const Pace& pace) {
  if (cap.cap_s <= 0 || pace.step_s <= 0 || pace.elapsed_s < cap.decay_start * cap.cap_s) return std::nullopt;
  const double seconds_left = std::max(0.0, cap.cap_s - pace.elapsed_s);
  const auto steps_that_fit = static_cast<int64_t>(std::floor(seconds_left / pace.step_s));
  if (pace.step + steps_that_fit >= pace.total_steps) return std::nullopt;
  return optim::EarlyDecay{pace.step, pace.step + std::max<int64_t>(1, steps_that_fit)};
}

bool is_over(const TimeCap& cap, double elapsed_s) { return cap.cap_s > 0 && elapsed_s >= cap.cap_s; }

}  // namespace zt::train
