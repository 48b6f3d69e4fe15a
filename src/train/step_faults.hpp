// SPDX-License-Identifier: Apache-2.0
// What went wrong in a step: gradients that are not finite, copies that differ among ranks. Judged, written
// down as events, and answered with what the loop is to do.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/error.hpp"
#include "contract/words/progress.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/setup.hpp"
#include "train/state/numeric_guard.hpp"
#include "train/stepper.hpp"

namespace zt::train {

class StepFaults {
 public:
  enum class Next {
    GoOn,
    LeaveClipsOut,  ///< those of the cursor, which has more of them now
    RollBack        ///< to the newest checkpoint, and make the same steps again
  };
  /// Both must outlive it.
  StepFaults(Setup& setup, Journal& journal)
      : setup_(setup), journal_(journal), guard_(setup.job.optimizer.max_skipped_steps) {}

  /// After the step that ended at the cursor, of which `mine` are this rank's samples, in order. The same on
  /// every rank. Errors: Numeric when the model is at fault; those of the exchange.
  Result<Next> judge(const StepReport& report, std::span<const contract::SampleInHand> mine);
  /// What the ranks found when they compared their copies in the step behind the cursor.
  void note(const Corruption& found);
  /// Numeric if no step of the run, of which some were made since `first_step`, reached a weight.
  Status check_learned(int64_t first_step) const;
  int64_t skipped_in_a_row() const { return guard_.skipped_in_a_row(); }

 private:
  Result<StepNumbers> numbers_of(const StepReport& report, std::span<const contract::SampleInHand> mine);
  Result<Next> act_on(const NumericJudgement& judgement);

  Setup& setup_;
  Journal& journal_;
  NumericGuard guard_;
  std::string skip_reason_;  ///< of the last step that was left out
};

}  // namespace zt::train
