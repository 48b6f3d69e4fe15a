// SPDX-License-Identifier: Apache-2.0
// Learning rate as a pure function of the step. The seven names of diffusers' get_scheduler give its numbers,
// deepspeed_* those of DeepSpeed's schedules; flat_cosine is ours.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "config/job/optim_job.hpp"
#include "config/meaning/step_rules.hpp"

namespace zt::optim {

struct LrSchedule {
  config::LrScheduler curve = config::LrScheduler::Constant;
  double base_lr = 1e-5;
  int64_t warmup_steps = 0;  ///< diffusers' curves start at exactly 0, flat_cosine at base_lr / warmup_steps
  config::WarmupCurve warmup_curve = config::WarmupCurve::Log;  ///< Deepspeed*
  double warmup_start = 0;                                      ///< Deepspeed*: as a share of base_lr
  int64_t total_steps = 1;
  double num_cycles = 0.5;  ///< Cosine: periods; CosineWithRestarts: falls from 1 to 0, rounded up
  double power = 1;         ///< Polynomial
  double lr_end = 1e-7;     ///< Polynomial: where it ends; base_lr below it is used as it is
  std::vector<config::StepRule> rules = {};  ///< PiecewiseConstant, by until_step
  double final_factor = 1;                   ///< PiecewiseConstant: after the last rule
  /// FlatCosine: share of total_steps before the decay (not before warm-up ends).
  double flat_fraction = 0.3;
  double floor = 0.02;  ///< FlatCosine, DeepspeedWarmupCosine and EarlyDecay: where the decay ends, as a
                        ///< share of base_lr
};

/// The schedule a job asks for. `base_lr` is the job's learning_rate, scaled where the job says so;
/// `total_steps` the run's, which the job's lr_total_steps replaces. Errors: InvalidConfig for step rules
/// that can't be read.
Result<LrSchedule> lr_schedule(const config::OptimJob& job, double base_lr, int64_t total_steps);

/// Ends a run before its planned number of steps (a time cap): from `start` on, the rate falls from what it
/// was there to floor * base_lr at `end`, along half a cosine period.
struct EarlyDecay {
  int64_t start = 0;
  int64_t end = 0;
};

/// The rate that step `step` (counted from 0) uses. Requires step >= 0.
double learning_rate(const LrSchedule& schedule, int64_t step, const std::optional<EarlyDecay>& early = {});

}  // namespace zt::optim
