// SPDX-License-Identifier: Apache-2.0
// Writes checkpoints while training goes on. save() returns at once; a thread of its own copies the live
// tensors, which takes place beside the next forward and backward pass, and writes the copy so that a crash
// or a full disk at any moment leaves a loadable checkpoint (docs/formats/checkpoint.md), then removes what
// retention no longer wants. Reading: checkpoint/reader.hpp.
//
//   Saver saver({.folder = run.checkpoints(), .run_id = ..., .config_digest = ..., .generation = n});
//   saver.save(snapshot);                                  // in the step loop
//   saver.await_copy();                                    // before the tensors change
//   for (const SaveResult& done : saver.take_results())    // now and then, and after wait()
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/meeting.hpp"
#include "checkpoint/retention.hpp"
#include "params/state.hpp"

namespace zt::contract {
struct CheckpointSaved;
}

namespace zt::checkpoint {

/// What one save stores. Names are unique: "param/<name>", "ema/<name>", "optimizer.exp_avg/<name>"... With
/// several ranks each gives the pieces that are its own, and the first one scalars, metrics and frozen
/// tensors.
struct Snapshot {
  int64_t step = 0;  ///< optimizer steps done
  std::vector<params::StateTensor> tensors;
  std::vector<params::StateScalar> scalars;
  std::map<std::string, double> metrics;  ///< contract::kValidationLoss and kEpoch, where they apply
  /// Tensors that the whole run leaves as they are. Checkpoints of the same bytes share one file.
  std::vector<params::StateTensor> frozen = {};
};

struct SaverOptions {
  std::filesystem::path folder;  ///< <run>/checkpoints; made if absent
  std::string run_id;
  std::string config_digest;
  int64_t generation = 0;  ///< of this launch
  Retention retention;
  /// Longest wait for a write in flight, and for the copy of a save, or the write of one that finds no memory
  /// for a copy: then that one is called off, and the next such wait is `patience` at most.
  std::chrono::milliseconds deadline = std::chrono::minutes(30);
  /// Longest that save() waits for the write before it: then this save is left out, and training goes on.
  std::chrono::milliseconds patience = std::chrono::minutes(1);
  /// Null: one rank. All ranks make the same saves in the same order; a save that one rank can't write fails
  /// on all.
  std::shared_ptr<Meeting> meeting = nullptr;
};

/// How a save ended.
struct SaveResult {
  int64_t step = 0;
  std::string name;  ///< folder name, "step-00001200"
  /// An error: this checkpoint does not exist, the earlier ones stand. Exhausted: disk full; Superseded: a
  /// later launch writes this folder and this one should stop; Corrupt: what was written does not read back;
  /// PeerLost: another rank could not save, and says itself why.
  Status status;
  uint64_t bytes = 0;  ///< written by all ranks; what is shared with an earlier checkpoint does not count
  double stall_s = 0;  ///< time that save() and await_copy() blocked
  double write_s = 0;  ///< from the end of the copy until the checkpoint was durable and verified
  std::vector<int64_t> removed_steps;  ///< by retention
};
/// What the run's events say of a save that succeeded.
contract::CheckpointSaved event_of(const SaveResult& result);

/// Threads: one caller; it owns one writer thread.
class Saver {
 public:
  explicit Saver(SaverOptions options);
  /// Waits for the save in flight; after the deadline its thread is left to itself.
  ~Saver();
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  /// Waits for the save before it, within patience, and has the tensors copied and written, or written where
  /// they are if memory for the copy is short. They must stay as they are until await_copy() returns;
  /// the frozen ones, which are not copied, for good. A failure does not stop training: it is logged as an
  /// error and comes out of take_results(); the next save tries afresh. A step that was saved before is
  /// replaced. Requires distinct tensor names (else the result is InvalidArgument).
  void save(const Snapshot& snapshot);
  /// Waits until the tensors of the newest save are copied; where there was no memory for that, until they
  /// are written, or calls the save off after options.patience. Returns the seconds waited.
  double await_copy();
  /// As save() and wait(), for tensors that nobody changes until it returns: written where they are, without
  /// a copy.
  void save_in_place(const Snapshot& snapshot);
  /// Waits until nothing is in flight. Errors: Timeout; after one, the next calls do not wait any more.
  Status wait();
  /// The same, for `limit` at most. A save that still reads the live tensors then is called off.
  Status wait_within(std::chrono::milliseconds limit);
  /// Saves that ended since the last call, oldest first.
  std::vector<SaveResult> take_results();

 private:
  struct State;
  enum class Staging { Copy, InPlace };
  void save(const Snapshot& snapshot, Staging staging);
  Status wait_patiently();
  std::shared_ptr<State> state_;  ///< shared with the thread, which may outlive this
  std::thread writer_;
  int64_t num_saves_ = 0;
  bool is_stuck_ = false;        ///< a wait() came to its end
  bool is_late_ = false;         ///< the newest save() did not begin, for one that was under way
  bool has_called_off_ = false;  ///< the disk let a step wait for options.deadline
};

}  // namespace zt::checkpoint
