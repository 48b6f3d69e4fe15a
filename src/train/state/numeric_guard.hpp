// SPDX-License-Identifier: Apache-2.0
// What to do about steps without a finite gradient, which were left out on all ranks alike: data that poisons
// them is found and left out, a run that no longer learns is stopped, and a fault of the hardware is told
// from both by making the same steps again. Pure decisions: the loop acts on them, every rank alike.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace zt::train {

/// Clips in steps without a finite gradient; part of the cursor, so that a resumed run leaves out the same.
struct ClipFaults {
  std::set<int64_t> suspects;  ///< in one such step, with a loss that was not finite where the model was fine
  std::set<int64_t> left_out;  ///< in two: no sample is taken from them from then on
};

/// A step as the guard sees it.
struct StepNumbers {
  int64_t step = 0;  ///< counted from 1
  bool is_skipped = false;
  std::vector<int64_t> bad_clips = {};  ///< of samples whose own loss is not finite, on any rank
  bool are_all_bad = false;             ///< no sample of the step had a finite loss: it may be the model
};

struct NumericJudgement {
  enum class Next {
    GoOn,
    RollBack,  ///< to the newest checkpoint, and make the same steps again
    Fail
  };
  enum class Cause { None, Data, Model, Hardware };
  Next next = Next::GoOn;
  Cause cause = Cause::None;      ///< what was found out at this step
  std::vector<int64_t> left_out;  ///< clips that are left out from the next step on
};

class NumericGuard {
 public:
  /// Steps in a row that may be skipped before they are made again.
  explicit NumericGuard(int64_t max_skipped) : max_skipped_(max_skipped) {}

  /// After every step. `clips` is brought up to date.
  NumericJudgement judge(const StepNumbers& numbers, ClipFaults& clips);
  int64_t skipped_in_a_row() const { return skipped_in_a_row_; }

 private:
  NumericJudgement judge_replay(const StepNumbers& numbers, NumericJudgement so_far, ClipFaults& clips);
  const int64_t max_skipped_;
  int64_t skipped_in_a_row_ = 0;
  std::set<int64_t> skipped_;          ///< of this row
  std::set<int64_t> suspects_of_row_;  ///< clips that became suspects in it
  std::set<int64_t> doubtful_clips_;   ///< of steps in which all were bad, until a step shows the model fine
  std::optional<int64_t> replay_end_;  ///< the last step that is made again
  bool repeats_ = false;               ///< a step was skipped both times
  bool has_bad_clips_ = false;         ///< in the replay
};

}  // namespace zt::train
