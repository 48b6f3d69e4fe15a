// SPDX-License-Identifier: Apache-2.0
// See numeric_guard.hpp.
#include "train/state/numeric_guard.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace zt::train {
namespace {

using Next = NumericJudgement::Next;
using Cause = NumericJudgement::Cause;

/// Clips that are suspects for the second time.
std::vector<int64_t> strike(const std::set<int64_t>& bad_clips, ClipFaults& clips) {
  std::vector<int64_t> out;
  for (const int64_t clip : bad_clips) {
    if (clips.left_out.contains(clip) || clips.suspects.insert(clip).second) continue;
    clips.suspects.erase(clip);
    clips.left_out.insert(clip);
    out.push_back(clip);
  }
  return out;
}

}  // namespace

NumericJudgement NumericGuard::judge(const StepNumbers& numbers, ClipFaults& clips) {
  NumericJudgement judgement;
  std::set<int64_t> bad_clips(numbers.bad_clips.begin(), numbers.bad_clips.end());
  if (numbers.are_all_bad) {
    doubtful_clips_.merge(bad_clips);
  } else if (numbers.is_skipped) {
    if (!replay_end_)
      std::ranges::set_difference(bad_clips, clips.suspects,
                                  std::inserter(suspects_of_row_, suspects_of_row_.end()));
    judgement.left_out = strike(bad_clips, clips);
  } else {
    judgement.left_out = strike(std::exchange(doubtful_clips_, {}), clips);
  }
  if (!judgement.left_out.empty()) judgement.cause = Cause::Data;
  if (replay_end_) return judge_replay(numbers, std::move(judgement), clips);
  if (!numbers.is_skipped) {
    skipped_in_a_row_ = 0;
    skipped_.clear();
    suspects_of_row_.clear();
    return judgement;
  }
  skipped_.insert(numbers.step);
  if (++skipped_in_a_row_ < max_skipped_) return judgement;
  judgement.next = Next::RollBack;
  replay_end_ = numbers.step;
  repeats_ = has_bad_clips_ = false;
  doubtful_clips_.clear();
  return judgement;
}

NumericJudgement NumericGuard::judge_replay(const StepNumbers& numbers, NumericJudgement so_far,
                                            ClipFaults& clips) {
  if (numbers.is_skipped && skipped_.contains(numbers.step)) {
    repeats_ = true;
    has_bad_clips_ = has_bad_clips_ || (!numbers.bad_clips.empty() && !numbers.are_all_bad);
  }
  if (numbers.step < *replay_end_) return so_far;
  replay_end_.reset();
  skipped_.clear();
  skipped_in_a_row_ = 0;
  if (!repeats_)
    for (const int64_t clip : suspects_of_row_) clips.suspects.erase(clip);  // it was not they
  suspects_of_row_.clear();
  so_far.cause = !repeats_ ? Cause::Hardware : has_bad_clips_ ? Cause::Data : Cause::Model;
  if (so_far.cause == Cause::Model) so_far.next = Next::Fail;
  return so_far;
}

}  // namespace zt::train
