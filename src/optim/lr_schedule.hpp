// SPDX-License-Identifier: Apache-2.0
// Learning rate as a pure function of the step. The seven names of diffusers' get_scheduler give its numbers;
// flat_cosine is ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::optim {

enum class LrCurve {
  Constant,  ///< ignores warm-up, as diffusers does
  ConstantWithWarmup,
  Linear,              ///< to 0
  Cosine,              ///< half a period, to 0
  CosineWithRestarts,  ///< num_cycles periods from 1 to 0
  Polynomial,          ///< to lr_end
  PiecewiseConstant,   ///< step_rules
  FlatCosine,          ///< warm-up, flat, then half a cosine period to floor * base_lr
};

/// One piece of a piecewise constant schedule.
struct LrRule {
  double factor = 1;       ///< of base_lr
  int64_t until_step = 0;  ///< first step the factor does not hold for
};

struct LrSchedule {
  LrCurve curve = LrCurve::Constant;
  double base_lr = 1e-5;
  int64_t warmup_steps = 0;  ///< diffusers' curves start at exactly 0, flat_cosine at base_lr / warmup_steps
  int64_t total_steps = 1;
  int64_t num_cycles = 1;     ///< CosineWithRestarts
  double power = 1;           ///< Polynomial
  double lr_end = 1e-7;       ///< Polynomial; must be below base_lr
  std::vector<LrRule> rules;  ///< PiecewiseConstant, by until_step
  double final_factor = 1;    ///< PiecewiseConstant: after the last rule
  double flat_fraction =
      0.3;  ///< FlatCosine: the decay starts at this share of total_steps (not before warm-up ends)
  double floor = 0.02;  ///< FlatCosine and EarlyDecay: where the decay ends, as a share of base_lr
};

/// Ends a run before its planned number of steps (a time cap): from `start` on, the rate falls from what it
/// was there to floor * base_lr at `end`, along half a cosine period.
struct EarlyDecay {
  int64_t start = 0;
  int64_t end = 0;
};

/// The rate that step `step` (counted from 0) uses. Requires step >= 0.
double learning_rate(const LrSchedule& schedule, int64_t step, const std::optional<EarlyDecay>& early = {});

/// diffusers' step_rules, e.g. "1:10,0.1:20,0.01:30,0.005": factor 1 before step 10, 0.1 before step 20, ...
/// then 0.005. Fills rules and final_factor. Errors: InvalidConfig, naming the piece that is not
/// "factor:step".
Status parse_step_rules(std::string_view text, LrSchedule& schedule);

/// The name users write, e.g. "cosine_with_restarts", and back. Errors: InvalidConfig, with the list of
/// names.
std::string_view name(LrCurve curve);
Result<LrCurve> parse_lr_curve(std::string_view text);

}  // namespace zt::optim
