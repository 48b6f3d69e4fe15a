// SPDX-License-Identifier: Apache-2.0
// The step loop: batches in, steps, and around them what happens now and then: metrics, validation,
// checkpoints, the time cap, a request to stop. A step that was reached twice (before and after a kill) is
// the same step, bit for bit.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "checkpoint/saver.hpp"
#include "contract/run_folder.hpp"
#include "prepare/sample_stream.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/setup.hpp"
#include "train/snapshots.hpp"
#include "train/step_faults.hpp"
#include "train/step_metrics.hpp"
#include "train/stepper.hpp"
#include "train/time_cap.hpp"
#include "train/validator.hpp"

namespace zt::train {

enum class LoopEnd { Completed, Stopped };

class Loop {
 public:
  /// Run, memory and journal must outlive the loop. `should_stop` is asked before every step and while
  /// samples are waited for; once true it must stay so.
  Loop(std::shared_ptr<Setup> setup, const contract::RunFolder& run, checkpoint::Memory& memory,
       int64_t generation, Journal& journal, std::function<bool()> should_stop);

  /// Trains to the last step, or until asked to stop, and saves. Errors: Numeric if gradients stay
  /// non-finite or no step of the run was made, those of data and of Ranks; Unavailable before a step once no
  /// save could be made any more; a last checkpoint that could not be written. After one the other ranks are
  /// given up, and end_saves() is to follow.
  Result<LoopEnd> run();
  /// After a run() that failed: waits for a save in flight, whose parts may all be there. One that takes
  /// longer is left to its thread.
  void end_saves(std::chrono::milliseconds limit);

 private:
  enum class Course { GoOn, Stop, End };
  Result<LoopEnd> train();
  /// What the first rank's clock and signals say before a step; the same on every rank.
  Result<Course> next_course();
  Course decide();
  /// Errors: Cancelled when a stop is requested while samples are waited for.
  Result<StepBatches> next_batches();
  Status train_step(const StepBatches& batches, double data_s);
  /// Validation and save where they are due at the cursor's step.
  Status after_step();
  void note_step(const StepReport& report, const StepCost& cost, double lr);
  /// Leaves clips out or makes steps again where a step's faults ask for it.
  Status answer(const StepReport& report);
  Status roll_back();
  /// The samples from the cursor's next on.
  void open_stream();
  TimeCap time_cap() const;
  void look_at_clock();
  /// The last save copies nothing: no step follows that would change the tensors.
  void save(bool is_last);
  Status take_saves(bool is_last);
  Status finish(LoopEnd end);
  /// Before the state changes.
  void await_copies();
  int64_t end_step() const;
  /// Passes over the clips that the last step completed, if it ended one that checkpoint.every_epochs asks
  /// for, else 0.
  int64_t ended_epochs() const;
  double elapsed_s() const;
  bool is_due(int64_t every) const { return every > 0 && setup_.cursor.step % every == 0; }

  const std::shared_ptr<Setup> owner_;
  Setup& setup_;
  const config::TrainJob& job_;
  const contract::RunFolder& run_;
  Journal& journal_;
  std::function<bool()> should_stop_;
  Stepper stepper_;
  checkpoint::Saver saver_;
  Snapshots snapshots_;
  std::unique_ptr<prepare::SampleStream> stream_;
  std::optional<Validator> validator_;
  const clock::Stopwatch watch_;  ///< of this launch
  double elapsed_before_s_ = 0;
  int64_t first_step_ = 0;
  int64_t saved_step_ = -1;
  StepFaults faults_;
  std::vector<contract::SampleInHand> step_samples_;  ///< this rank's of the step, in order
  double save_stall_s_ = 0;
};

}  // namespace zt::train
