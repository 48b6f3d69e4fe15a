// SPDX-License-Identifier: Apache-2.0
// See saver.hpp.
#include "checkpoint/saver.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <utility>

#include "base/log.hpp"
#include "base/resources.hpp"
#include "checkpoint/internal/commit.hpp"
#include "contract/manifest.hpp"

namespace zt::checkpoint {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Memory left over for the step that runs beside the write.
constexpr uint64_t kSpareBytes = uint64_t{256} << 20;

bool has_memory_for(uint64_t bytes) {
  const auto memory = resources::memory();
  return !memory || memory->available_bytes >= bytes + kSpareBytes;
}

// Contiguous on the CPU. Without `copies`, tensors that are so already are only viewed.
Snapshot staged(const Snapshot& snapshot, bool copies) {
  Snapshot out{snapshot.step, {}, snapshot.scalars, snapshot.metrics};
  for (const params::StateTensor& t : snapshot.tensors) {
    const at::Tensor live = t.value.detach();
    const bool is_live = live.device().is_cpu();
    out.tensors.push_back(
        {t.name, copies && is_live ? live.clone(at::MemoryFormat::Contiguous) : live.cpu().contiguous()});
  }
  return out;
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
  const bool copies = has_memory_for(internal::num_bytes(snapshot));
  auto job = std::make_unique<Job>();
  job->snapshot = staged(snapshot, copies);
  job->result.step = snapshot.step;
  job->result.name = contract::checkpoint_name(snapshot.step);
  job->result.stall_s = seconds_since(begin);
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
  }
  changed_.notify_all();
  if (copies) return;
  wait();
  const std::lock_guard lock(mutex_);
  results_.back().stall_s = seconds_since(begin);
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
