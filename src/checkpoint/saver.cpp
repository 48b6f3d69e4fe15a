// SPDX-License-Identifier: Apache-2.0
// See saver.hpp.
#include "checkpoint/saver.hpp"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "base/log.hpp"
#include "checkpoint/internal/commit.hpp"
#include "checkpoint/internal/staging.hpp"
#include "contract/manifest.hpp"

namespace zt::checkpoint {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

struct Saver::Job {
  Snapshot snapshot;
  SaveResult result;
};

Saver::Saver(SaverOptions options) : options_(std::move(options)), writer_([this] { work(); }) {}

Saver::~Saver() {
  wait();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  writer_.join();
}

void Saver::save(const Snapshot& snapshot) {
  const Clock::time_point begin = Clock::now();
  wait();
  std::optional<Snapshot> copy = internal::copied(snapshot);
  if (!copy) return save_in_place(snapshot);
  start(*std::move(copy), begin);
}

void Saver::save_in_place(const Snapshot& snapshot) {
  const Clock::time_point begin = Clock::now();
  wait();
  start(internal::viewed(snapshot), begin);
  wait();
  const std::lock_guard lock(mutex_);
  results_.back().stall_s = seconds_since(begin);
}

void Saver::start(Snapshot snapshot, Clock::time_point begin) {
  auto job = std::make_unique<Job>();
  job->result.step = snapshot.step;
  job->result.name = contract::checkpoint_name(snapshot.step);
  job->snapshot = std::move(snapshot);
  job->result.stall_s = seconds_since(begin);
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
  }
  changed_.notify_all();
}

void Saver::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !job_; });
}

std::vector<SaveResult> Saver::take_results() {
  const std::lock_guard lock(mutex_);
  return std::exchange(results_, {});
}

void Saver::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return job_ || stopping_; });
    if (!job_) return;
    Job& job = *job_;
    lock.unlock();
    write(job);
    lock.lock();
    results_.push_back(std::move(job.result));
    job_.reset();
    changed_.notify_all();
  }
}

void Saver::write(Job& job) const {
  const Clock::time_point begin = Clock::now();
  SaveResult& result = job.result;
  try {
    if (auto bytes = internal::commit(options_, job.snapshot)) {
      result.bytes = *bytes;
    } else {
      result.status = fail(std::move(bytes.error()));
    }
  } catch (const std::exception& e) {  // thread entry: out of memory, or a broken call
    result.status = fail(ErrorCode::Internal, e.what());
  }
  result.write_s = seconds_since(begin);
  if (!result.status) {
    log::error("checkpoint",
               fmt::format("step={} was NOT saved: {}. Training goes on; the next save tries again.",
                           result.step, result.status.error().text()));
    return;
  }
  result.removed_steps = internal::prune(options_, result.step);
}

}  // namespace zt::checkpoint
