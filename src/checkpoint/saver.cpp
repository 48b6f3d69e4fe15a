// SPDX-License-Identifier: Apache-2.0
// See saver.hpp.
#include "checkpoint/saver.hpp"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "checkpoint/internal/commit.hpp"
#include "checkpoint/internal/staging.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/events.hpp"

namespace zt::checkpoint {
namespace {

void say_failed(const SaveResult& result) {
  log::error("checkpoint", fmt::format("step={} was NOT saved, the checkpoints before it stand: {}",
                                       result.step, result.status.error().text()));
}

}  // namespace

struct Saver::State {
  explicit State(SaverOptions how) : options(std::move(how)), checkpoints(options.folder) {}

  struct Job {
    int64_t number = 0;  ///< counts saves
    Snapshot snapshot;
    SaveResult result;
    bool copies = true;      ///< before it writes, if there is memory
    bool is_copied = false;  ///< the writer's own
    bool is_let_go = false;  ///< the live tensors may change
    std::shared_ptr<std::atomic<bool>> is_called_off = std::make_shared<std::atomic<bool>>(false);
  };

  /// For `tensors_limit` at most until the live tensors may change, then for `limit` at most.
  Status wait_for_job(std::chrono::milliseconds limit, std::chrono::milliseconds tensors_limit);
  void start(Job started);
  void work();
  void copy(Job& copying);
  Status commit(Job& writing);
  void write(Job& writing);
  void finish(SaveResult result);
  void leave_out(Job job);
  void call_off(std::vector<Job> jobs);
  bool may_change() const { return !job || job->is_let_go; }
  /// Until the live tensors may change. Past the deadline they may: what the writer has of them is no state.
  /// Then false.
  bool await_tensors(std::unique_lock<std::mutex>& lock, clock::Deadline until);
  void let_go(Job& done);
  internal::Save save_of(Job& one, const Snapshot& written) {
    return {options, checkpoints, one.number, written, *one.is_called_off, [this, &one] { let_go(one); }};
  }

  const SaverOptions options;
  contract::CheckpointFolder checkpoints;  ///< used by one save at a time
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Job> job;  ///< in flight
  std::vector<SaveResult> results;
  std::vector<Job> left_out;  ///< never begun; the other ranks, which wait for this one, are to be told
  bool stopping = false;
};

Saver::Saver(SaverOptions options) : state_(std::make_shared<State>(std::move(options))) {
  writer_ = std::thread([state = state_] { state->work(); });
}

Saver::~Saver() {
  const bool is_idle = wait().has_value();
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  if (is_idle)
    writer_.join();
  else
    writer_.detach();  // it hangs in the file system, with all it needs in the state that it shares
}

void Saver::save(const Snapshot& snapshot) { save(snapshot, Staging::Copy); }
void Saver::save_in_place(const Snapshot& snapshot) { save(snapshot, Staging::InPlace); }

void Saver::save(const Snapshot& snapshot, Staging staging) {
  const clock::Stopwatch watch;
  State::Job job;
  job.number = ++num_saves_;
  job.result.step = snapshot.step;
  job.result.name = contract::checkpoint_name(snapshot.step);
  job.result.status = staging == Staging::Copy ? wait_patiently() : wait();
  if (!job.result.status) {
    say_failed(job.result);
    return state_->leave_out(std::move(job));
  }
  job.snapshot = snapshot;
  if (staging == Staging::Copy) {
    job.copies = internal::has_room(snapshot);
    job.result.stall_s = watch.seconds();
    return state_->start(std::move(job));
  }
  state_->write(job);
  job.result.stall_s = watch.seconds();
  state_->finish(std::move(job.result));
}

double Saver::await_copy() {
  const clock::Stopwatch watch;
  std::unique_lock lock(state_->mutex);
  if (state_->may_change()) return 0;
  const SaverOptions& options = state_->options;
  const clock::Deadline until = clock::in(has_called_off_ ? options.patience : options.deadline);
  has_called_off_ |= !state_->await_tensors(lock, until);
  const double waited_s = watch.seconds();
  if (state_->job) state_->job->result.stall_s += waited_s;
  return waited_s;
}

Status Saver::wait() { return wait_within(state_->options.deadline); }

Status Saver::wait_within(std::chrono::milliseconds limit) {
  const auto patience = is_stuck_ ? std::chrono::milliseconds(0) : limit;
  const Status done = state_->wait_for_job(patience, patience);
  is_stuck_ = !done;
  return done;
}

// Once in a while of slow writes a step is held up; a run whose disk is slow still waits for its last save.
Status Saver::wait_patiently() {
  constexpr std::chrono::milliseconds kNot{0};
  const bool has_waited = is_late_ || is_stuck_;
  const SaverOptions& options = state_->options;
  const Status done =
      state_->wait_for_job(has_waited ? kNot : options.patience, has_waited ? kNot : options.deadline);
  is_late_ = !done;
  return done;
}

Status Saver::State::wait_for_job(std::chrono::milliseconds limit, std::chrono::milliseconds tensors_limit) {
  std::unique_lock lock(mutex);
  await_tensors(lock, clock::in(tensors_limit));  // they are not left to the writer
  if (changed.wait_for(lock, limit, [this] { return !job; })) return {};
  return fail(
      ErrorCode::Timeout,
      fmt::format("the checkpoint of step {} is still being written: is the disk of {} still there, and fast "
                  "enough for checkpoint.every_steps?",
                  job->result.step, options.folder.string()));
}

std::vector<SaveResult> Saver::take_results() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->results, {});
}

void Saver::State::start(Job started) {
  {
    const std::lock_guard lock(mutex);
    job = std::move(started);
  }
  changed.notify_all();
}

void Saver::State::finish(SaveResult result) {
  const std::lock_guard lock(mutex);
  results.push_back(std::move(result));
}

void Saver::State::leave_out(Job left) {
  finish(left.result);
  {
    const std::lock_guard lock(mutex);
    left_out.push_back(std::move(left));
  }
  changed.notify_all();
}

void Saver::State::call_off(std::vector<Job> jobs) {
  for (Job& one : jobs) internal::call_off(save_of(one, one.snapshot), one.result.status.error());
}

void Saver::State::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return job || stopping || !left_out.empty(); });
    if (!left_out.empty()) {
      std::vector<Job> jobs = std::exchange(left_out, {});
      lock.unlock();
      call_off(std::move(jobs));
      lock.lock();
      continue;
    }
    if (!job) return;
    lock.unlock();
    if (job->copies) copy(*job);
    write(*job);
    lock.lock();
    results.push_back(std::move(job->result));
    job.reset();
    changed.notify_all();
  }
}

// Should the memory be gone after all, the tensors are written where they are, while await_copy() waits: the
// other ranks count on this one's part.
void Saver::State::copy(Job& copying) {
  std::optional<Snapshot> copy;
  try {
    copy = internal::copied(copying.snapshot);
  } catch (const std::exception& e) {  // thread entry
    log::warn("checkpoint", std::string("no copy of the state: ") + e.what());
  }
  if (!copy) return;
  copying.snapshot = *std::move(copy);
  copying.is_copied = true;
  let_go(copying);
}

bool Saver::State::await_tensors(std::unique_lock<std::mutex>& lock, clock::Deadline until) {
  if (changed.wait_until(lock, until, [this] { return may_change(); })) return true;
  *job->is_called_off = job->is_let_go = true;
  return false;
}

void Saver::State::let_go(Job& done) {
  {
    const std::lock_guard lock(mutex);
    done.is_let_go = true;
  }
  changed.notify_all();
}

Status Saver::State::commit(Job& writing) {
  try {
    const Snapshot in_place = writing.is_copied ? Snapshot() : internal::viewed(writing.snapshot);
    const Snapshot& written = writing.is_copied ? writing.snapshot : in_place;
    ZT_TRY_ASSIGN(writing.result.bytes, internal::commit(save_of(writing, written)));
    return {};
  } catch (const std::exception& e) {  // thread entry: out of memory, or a broken call
    const Error why{ErrorCode::Internal, e.what()};
    internal::call_off(save_of(writing, writing.snapshot), why);
    return fail(why);
  }
}

void Saver::State::write(Job& writing) {
  const clock::Stopwatch watch;
  SaveResult& result = writing.result;
  result.status = commit(writing);
  result.write_s = watch.seconds();
  try {
    if (!result.status) return say_failed(result);
    if (!options.meeting || options.meeting->rank() == 0)
      result.removed_steps = internal::prune(checkpoints, options.retention, result.step);
  } catch (const std::exception&) {  // thread entry: no memory for words and listings; the next save prunes
  }
}

contract::CheckpointSaved event_of(const SaveResult& result) {
  return {.step = result.step,
          .name = result.name,
          .bytes = static_cast<int64_t>(result.bytes),
          .stall_s = result.stall_s,
          .write_s = result.write_s};
}

}  // namespace zt::checkpoint
