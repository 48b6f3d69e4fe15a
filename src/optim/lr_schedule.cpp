// SPDX-License-Identifier: Apache-2.0
// See lr_schedule.hpp. The diffusers curves follow diffusers 0.24, src/diffusers/optimization.py; DeepSpeed's
// follow DeepSpeed 0.19, deepspeed/runtime/lr_schedules.py.
#include "optim/lr_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace zt::optim {
namespace {

using config::LrScheduler;

double half_cosine(double progress) { return 0.5 * (1 + std::cos(std::numbers::pi * progress)); }

double piecewise_factor(const LrSchedule& s, int64_t step) {
  for (const config::StepRule& rule : s.rules) {
    if (step < rule.until_step) return rule.factor;
  }
  return s.final_factor;
}

double flat_cosine_factor(const LrSchedule& s, int64_t step) {
  const auto at = static_cast<double>(step), total = static_cast<double>(s.total_steps);
  const auto warmup = static_cast<double>(s.warmup_steps);
  if (step < s.warmup_steps) return (at + 1) / warmup;
  const double start = std::max(warmup, s.flat_fraction * total);
  if (at <= start) return 1;
  const double progress = std::min(1.0, (at - start) / std::max(1.0, total - start));
  return s.floor + (1 - s.floor) * half_cosine(progress);
}

/// DeepSpeed's schedules, as its engine steps them: the first optimizer step comes before the schedule's step
/// 0, and has the start of the warm-up (of the cosine: 0).
double deepspeed_factor(const LrSchedule& s, int64_t optimizer_step) {
  const bool is_cosine = s.curve == LrScheduler::DeepspeedWarmupCosine;
  const int64_t step = optimizer_step - 1;
  if (step < 0) return is_cosine ? 0 : s.warmup_start;
  const int64_t warmup_steps = std::max<int64_t>(2, s.warmup_steps);
  const auto at = static_cast<double>(step), warmup = static_cast<double>(warmup_steps);
  const auto above = [](double floor, double share) { return floor + (1 - floor) * share; };
  if (step < warmup_steps) {
    const bool is_log = s.warmup_curve == config::WarmupCurve::Log;
    return above(s.warmup_start, is_log ? std::log(at + 1) / std::log(warmup) : at / warmup);
  }
  if (s.curve == LrScheduler::DeepspeedWarmup) return 1;
  const auto total = static_cast<double>(s.total_steps);
  const double length = std::max(1.0, total - warmup);
  if (is_cosine) return above(s.floor, half_cosine(std::min(1.0, (at - warmup + 1) / length)));
  return above(s.warmup_start, std::max(0.0, (total - at) / length));
}

/// What follows the warm-up of diffusers' curves; `progress` runs from 0 to 1 and beyond.
double decay_factor(const LrSchedule& s, double progress) {
  switch (s.curve) {
    case LrScheduler::Linear:
      return std::max(0.0, 1 - progress);
    case LrScheduler::Cosine:
      return std::max(0.0, half_cosine(2 * s.num_cycles * progress));
    case LrScheduler::CosineWithRestarts:
      return progress >= 1 ? 0
                           : std::max(0.0, half_cosine(std::fmod(std::ceil(s.num_cycles) * progress, 1.0)));
    case LrScheduler::Polynomial: {
      if (s.base_lr <= s.lr_end) return 1;
      const double remaining = std::pow(std::max(0.0, 1 - progress), s.power);
      return ((s.base_lr - s.lr_end) * remaining + s.lr_end) / s.base_lr;
    }
    default:
      return 1;
  }
}

double factor(const LrSchedule& s, int64_t step) {
  if (s.curve == LrScheduler::Constant) return 1;
  if (s.curve == LrScheduler::PiecewiseConstant) return piecewise_factor(s, step);
  if (s.curve == LrScheduler::FlatCosine) return flat_cosine_factor(s, step);
  if (s.curve >= LrScheduler::DeepspeedWarmup) return deepspeed_factor(s, step);
  if (step < s.warmup_steps) return static_cast<double>(step) / static_cast<double>(s.warmup_steps);
  const auto length = static_cast<double>(std::max<int64_t>(1, s.total_steps - s.warmup_steps));
  return decay_factor(s, static_cast<double>(step - s.warmup_steps) / length);
}

}  // namespace

Result<LrSchedule> lr_schedule(const config::OptimJob& job, double base_lr, int64_t total_steps) {
  LrSchedule s;
  s.curve = job.lr_scheduler;
  s.base_lr = base_lr;
  s.warmup_steps = job.lr_warmup_steps;
  s.warmup_curve = job.lr_warmup_curve;
  s.warmup_start = job.lr_warmup_start;
  s.total_steps = job.lr_total_steps > 0 ? job.lr_total_steps : total_steps;
  s.num_cycles = job.lr_num_cycles;
  s.power = job.lr_power;
  s.flat_fraction = job.lr_flat_fraction;
  s.floor = job.lr_final_ratio;
  if (s.curve == LrScheduler::PiecewiseConstant) {
    ZT_TRY_ASSIGN(config::StepRules rules, config::parse_step_rules(job.lr_step_rules));
    s.rules = std::move(rules.rules);
    s.final_factor = rules.final_factor;
  }
  return s;
}

double learning_rate(const LrSchedule& schedule, int64_t step, const std::optional<EarlyDecay>& early) {
  if (!early || step <= early->start) return schedule.base_lr * factor(schedule, step);
  const double from = schedule.base_lr * factor(schedule, early->start);
  const double to = std::min(from, schedule.floor * schedule.base_lr);
  const auto length = static_cast<double>(std::max<int64_t>(1, early->end - early->start));
  const double progress = std::min(1.0, static_cast<double>(step - early->start) / length);
  return to + (from - to) * half_cosine(progress);
}

}  // namespace zt::optim
