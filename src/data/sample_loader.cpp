// SPDX-License-Identifier: Apache-2.0
#include "data/sample_loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/log.hpp"
#include "base/parallel.hpp"
#include "data/internal/load_sample.hpp"

namespace zt::data {
namespace {

using Outcome = Result<Sample>;

// Lets threads hold decoded pictures up to a limit. One sample that is larger than the limit goes alone.
class DecodeBudget {
 public:
  explicit DecodeBudget(uint64_t limit) : limit_(limit) {}

  class Share {
   public:
    Share(DecodeBudget& budget, uint64_t bytes) : budget_(budget), bytes_(bytes) {
      std::unique_lock lock(budget_.mutex_);
      budget_.freed_.wait(lock,
                          [&] { return budget_.used_ == 0 || budget_.used_ + bytes_ <= budget_.limit_; });
      budget_.used_ += bytes_;
    }
    ~Share() {
      {
        const std::lock_guard lock(budget_.mutex_);
        budget_.used_ -= bytes_;
      }
      budget_.freed_.notify_all();
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    DecodeBudget& budget_;
    const uint64_t bytes_;
  };

 private:
  const uint64_t limit_;
  std::mutex mutex_;
  std::condition_variable freed_;
  uint64_t used_ = 0;
};

// Whether another clip may stand in: the fault is the file's, not this machine's or the caller's.
bool is_fault_of_clip(ErrorCode code) {
  switch (code) {
    case ErrorCode::NotFound:
    case ErrorCode::Permission:
    case ErrorCode::Corrupt:
    case ErrorCode::Unsupported:
    case ErrorCode::InvalidArgument:
    case ErrorCode::Unavailable:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct SampleLoader::State {
  State(ClipIndex clips, PlanOptions plan, LoaderOptions loader, uint64_t first, uint64_t step)
      : index(std::move(clips)),
        plan_options(plan),
        options(loader),
        stride(step),
        cursor(first),
        submitted(first),
        budget(loader.max_decode_bytes),
        pool(loader.num_threads) {}
  ~State() { stopping = true; }

  void submit_one();
  Outcome load(uint64_t number);
  Outcome load_plan(const SamplePlan& plan);
  void note_broken(const SamplePlan& plan, const Error& error);

  const ClipIndex index;
  const PlanOptions plan_options;
  const LoaderOptions options;
  const uint64_t stride;

  // Of the caller's thread.
  uint64_t cursor;
  uint64_t submitted;  ///< number of the sample that is submitted next
  std::deque<std::future<Outcome>> ahead;
  std::chrono::nanoseconds waited{0};
  uint64_t samples = 0;

  // Shared with the pool's threads.
  std::atomic<bool> stopping = false;
  DecodeBudget budget;
  std::mutex mutex;
  std::vector<std::unique_ptr<internal::SourcePool>> idle_sources;
  std::map<std::string, std::string> broken;  ///< clip id -> why
  uint64_t replaced = 0;

  ThreadPool pool;  ///< last: its threads end before what they use
};

void SampleLoader::State::submit_one() {
  auto promise = std::make_shared<std::promise<Outcome>>();  // shared: a queued job must be copyable
  ahead.push_back(promise->get_future());
  pool.submit([this, promise, number = submitted] {
    try {
      promise->set_value(load(number));
    } catch (const std::exception& e) {  // thread border
      promise->set_value(fail(ErrorCode::Internal, fmt::format("sample {}: {}", number, e.what())));
    }
  });
  submitted += stride;
}

Outcome SampleLoader::State::load(uint64_t number) {
  for (uint32_t attempt = 0;; ++attempt) {
    if (stopping) return fail(ErrorCode::Cancelled, "the loader is closing");
    ZT_TRY_ASSIGN(const SamplePlan plan, plan_sample(plan_options, index, number, attempt));
    Outcome outcome = load_plan(plan);
    if (outcome || options.strict || !is_fault_of_clip(outcome.error().code)) return outcome;
    note_broken(plan, outcome.error());
    if (attempt == options.max_attempts) {
      return fail(
          std::move(outcome.error())
              .with(fmt::format("after {} replacements for sample {}, all of them broken", attempt, number)));
    }
  }
}

Outcome SampleLoader::State::load_plan(const SamplePlan& plan) {
  std::unique_ptr<internal::SourcePool> sources;
  {
    const std::lock_guard lock(mutex);
    if (!idle_sources.empty()) {
      sources = std::move(idle_sources.back());
      idle_sources.pop_back();
    }
  }
  if (!sources) sources = std::make_unique<internal::SourcePool>();
  Outcome outcome = [&] {
    const DecodeBudget::Share share(budget, internal::decode_bytes(index, plan, options.load));
    return internal::load_sample(index, plan, options.load, *sources);
  }();
  const std::lock_guard lock(mutex);
  idle_sources.push_back(std::move(sources));
  return outcome;
}

void SampleLoader::State::note_broken(const SamplePlan& plan, const Error& error) {
  const std::string& id = index.clips[plan.clip].id;
  const std::lock_guard lock(mutex);
  if (plan.attempt == 0) ++replaced;
  if (broken.try_emplace(id, error.text()).second)
    log::warn("data", fmt::format("clip={} can't be read and is replaced by others: {}", id, error.text()));
}

Result<std::unique_ptr<SampleLoader>> SampleLoader::open(ClipIndex index, PlanOptions plan,
                                                         LoaderOptions options, uint64_t first,
                                                         uint64_t stride) {
  ZT_TRY(plan_sample(plan, index, first));
  if (options.num_threads < 1 || options.prefetch < 1 || stride < 1 || options.load.width < 1 ||
      options.load.height < 1)
    return fail(ErrorCode::InvalidArgument,
                "a loader needs threads, samples ahead, a stride and a size of at least 1");
  auto state = std::make_unique<State>(std::move(index), plan, options, first, stride);
  while (state->ahead.size() < options.prefetch) state->submit_one();
  return std::unique_ptr<SampleLoader>(new SampleLoader(std::move(state)));
}

SampleLoader::SampleLoader(std::unique_ptr<State> state) : state_(std::move(state)) {}
SampleLoader::~SampleLoader() = default;

Result<Sample> SampleLoader::next() {
  State& s = *state_;
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = s.ahead.front().wait_for(s.options.deadline);
  s.waited += std::chrono::steady_clock::now() - start;
  if (outcome != std::future_status::ready)
    return fail(ErrorCode::Timeout,
                fmt::format("sample {} was not ready after {} ms; is the storage slow, or are there too "
                            "few decode threads?",
                            s.cursor, s.options.deadline.count()));
  Outcome sample = s.ahead.front().get();
  s.ahead.pop_front();
  s.submit_one();
  s.cursor += s.stride;
  ++s.samples;
  return sample;
}

uint64_t SampleLoader::cursor() const { return state_->cursor; }

LoaderStats SampleLoader::stats() const {
  const State& s = *state_;
  LoaderStats stats;
  stats.samples = s.samples;
  stats.waited = s.waited;
  const std::lock_guard lock(state_->mutex);
  stats.replaced = s.replaced;
  for (const auto& [id, why] : s.broken) stats.broken.push_back(id + ": " + why);
  return stats;
}

}  // namespace zt::data
