// SPDX-License-Identifier: Apache-2.0
// A rank's progress words (contract/words/progress.hpp) as its parts publish them: the loop its phases and
// steps, the stepper its activities, the communicator its waits. One object, so that each of them says only
// what it knows.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "contract/words/progress.hpp"
#include "dist/communicator.hpp"
#include "train/journal/silence.hpp"

namespace zt::train {

/// Threads: any. Cost of a transition: bench/results/2026-11-26-detection.md.
class RankWords final : public dist::WaitObserver {
 public:
  RankWords(contract::ProgressWriter page, int64_t generation);

  /// From then on silence is judged (docs/detection.md), or no longer without limits.
  void judge_silence(SilenceLimits limits);
  /// Changes what `change` changes and publishes. It ends the activity: the phase says what comes.
  void update(const std::function<void(contract::Progress&)>& change);
  /// A transition within a training step.
  void enter(contract::Activity activity);
  /// A unit's turn, in whatever phase.
  void work_on(contract::Activity activity, std::string_view unit);
  void wait_begins(const dist::FlightEntry& operation) override;
  /// Back to what was done before the wait.
  void wait_ends() override;
  contract::Progress last() const;

 private:
  /// Publishes `next` as begun now. Requires the mutex.
  void publish(contract::Progress next);
  contract::Progress in(contract::Activity activity, std::string_view unit) const;
  mutable std::mutex mutex_;
  contract::ProgressWriter page_;
  contract::Progress state_;
  contract::Activity activity_before_wait_ = contract::Activity::None;
  std::string unit_before_wait_;
  double since_s_;  ///< steady clock, of state_
  Silence silence_;
};

}  // namespace zt::train
