// SPDX-License-Identifier: Apache-2.0
// See step_faults.hpp.
#include "train/step_faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.hpp"
#include "train/pass/run_rules.hpp"

namespace zt::train {
namespace {

/// Whether any step of the run reached a weight.
bool has_learned(const optim::AdamW& optimizer) {
  return std::ranges::any_of(optimizer.scalars(), [](const params::StateScalar& count) {
    return std::get<int64_t>(count.value) > 0;
  });
}

}  // namespace

Result<StepFaults::Next> StepFaults::judge(const StepReport& report,
                                           std::span<const contract::SampleInHand> mine) {
  if (report.is_skipped) {
    skip_reason_ = fmt::format("the gradient of {} is not finite ({} elements of all gradients)",
                               report.norms.first_nonfinite, report.num_nonfinite);
    journal_.event(contract::StepSkipped{setup_.cursor.step, skip_reason_, report.loss_scale});
    log::warn("train", fmt::format("step {} left out: {}", setup_.cursor.step, skip_reason_));
  }
  ZT_TRY_ASSIGN(const StepNumbers numbers, numbers_of(report, mine));
  return act_on(guard_.judge(numbers, setup_.cursor.clips));
}

Result<StepNumbers> StepFaults::numbers_of(const StepReport& report,
                                           std::span<const contract::SampleInHand> mine) {
  StepNumbers numbers{.step = setup_.cursor.step, .is_skipped = report.is_skipped};
  if (!report.is_skipped) return numbers;
  // The report is of all ranks' samples, in order of lanes; the clips are known to who read them.
  const config::TrainJob& job = setup_.job;
  const int64_t of_lane = samples_per_step(job) / job.lanes;
  const auto first = static_cast<size_t>(setup_.ranks.lanes(job.lanes).begin * of_lane);
  std::vector<double> bad_clips;
  for (size_t i = 0; i < mine.size(); ++i)
    if (!std::isfinite(report.samples.at(first + i).mse))
      bad_clips.push_back(static_cast<double>(mine[i].clip));
  const auto longest = static_cast<size_t>(samples_per_step(job));
  ZT_TRY_ASSIGN(const auto by_rank, setup_.ranks.gather(bad_clips, longest, "clips of a skipped step"));
  for (const std::vector<double>& row : by_rank)
    for (const double clip : row) numbers.bad_clips.push_back(static_cast<int64_t>(clip));
  numbers.are_all_bad = numbers.bad_clips.size() == report.samples.size();
  return numbers;
}

Result<StepFaults::Next> StepFaults::act_on(const NumericJudgement& judgement) {
  const int64_t step = setup_.cursor.step;
  const auto tell = [&](const std::string& cause, const std::string& what, const std::string& action) {
    journal_.event(contract::FaultFound{.step = step, .cause = cause, .what = what, .action = action});
    log::warn("train", fmt::format("step {}: a fault of the {}: {}; {}", step, cause, what, action));
  };
  for (const int64_t clip : judgement.left_out)
    tell("data",
         fmt::format("the loss of clip {} ({}) was not finite in two steps", clip,
                     setup_.clips.clips[static_cast<size_t>(clip)].video),
         "no more samples are taken from it");
  if (judgement.cause == NumericJudgement::Cause::Hardware)
    tell("hardware",
         "steps without a finite gradient had one when they were made again, bit for bit the same",
         "training goes on; watch this host");
  switch (judgement.next) {
    case NumericJudgement::Next::GoOn:
      return judgement.left_out.empty() ? Next::GoOn : Next::LeaveClipsOut;
    case NumericJudgement::Next::RollBack:
      return Next::RollBack;
    case NumericJudgement::Next::Fail:
      break;
  }
  const std::string what =
      fmt::format("{} steps in a row had no finite gradient, twice the same ({}), and no sample is to blame",
                  setup_.job.optimizer.max_skipped_steps, skip_reason_);
  tell("model", what, "the run ends");
  return fail(ErrorCode::Numeric,
              what + "; go back to an earlier checkpoint with a lower optimizer.learning_rate");
}

void StepFaults::note(const Corruption& found) {
  const int64_t rank = found.is_undecided ? -1 : found.ranks.front();
  journal_.event(contract::FaultFound{.step = setup_.cursor.step + 1,
                                      .rank = rank,
                                      .cause = "hardware",
                                      .what = text_of(found),
                                      .action = "the named ranks were stopped"});
}

Status StepFaults::check_learned(int64_t first_step) const {
  if (setup_.cursor.step == first_step || has_learned(*setup_.state.optimizer)) return {};
  return fail(
      ErrorCode::Numeric,
      "every step was left out, the last because " + skip_reason_ +
          ": the weights are still those that the run began with. With mixed_precision: fp16 "
          "precision.init_loss_scale may be too large for so few steps; else look at the clips and at "
          "the weights it began with");
}

}  // namespace zt::train
