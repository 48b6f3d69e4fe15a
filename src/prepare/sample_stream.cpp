// SPDX-License-Identifier: Apache-2.0
// See sample_stream.hpp.
#include "prepare/sample_stream.hpp"

#include <ATen/Parallel.h>

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "contract/words/progress.hpp"
#include "data/sample/clip_file.hpp"
#include "tensor/parallel.hpp"

namespace zt::prepare {
namespace {

/// How often a wait looks for a request to stop.
constexpr std::chrono::milliseconds kPoll{50};

}  // namespace

struct SampleStream::State {
  State(std::shared_ptr<const SampleEncoder> sample_encoder, StreamOptions stream_options,
        uint64_t first_sample)
      : encoder(std::move(sample_encoder)), options(std::move(stream_options)), first(first_sample) {}

  /// Global number of the sample that is made as `count` (from 0).
  uint64_t number(uint64_t count) const {
    const StreamShare& share = options.share;
    return first + count / share.size * share.period + share.begin + count % share.size;
  }

  /// One sample; a clip that can't be read is replaced by the plan's next attempt.
  Result<EncodedSample> make(uint64_t sample) {
    Error last{ErrorCode::NotFound, "all clips that were tried are left out"};
    const size_t most = num_attempts();
    const size_t limit = most * (1 + options.left_out.size());  // what is left out costs nothing to try
    size_t tried = 0;
    for (uint32_t attempt = 0; tried < most && attempt < limit; ++attempt) {
      ZT_TRY_ASSIGN(const data::SamplePlan plan,
                    data::plan_sample(options.plan, encoder->index(), sample, attempt));
      if (options.left_out.contains(static_cast<int64_t>(plan.clip))) continue;
      ++tried;
      Result<EncodedSample> made = encode(plan);
      if (made) return made;
      last = std::move(made).error();
      if (!data::is_fault_of_clip(last)) break;
      note_broken(plan.clip, last);
    }
    return fail(std::move(last).with("while making sample " + std::to_string(sample)));
  }

  // Where many clips are broken a draw meets them again and again, though others are left.
  size_t num_attempts() const {
    constexpr size_t kPerBrokenClip = 16;
    const std::lock_guard lock(mutex);
    return options.max_attempts + kPerBrokenClip * broken_clips.size();
  }

  Result<EncodedSample> encode(const data::SamplePlan& plan) const {
    const contract::SampleInHand sample{plan.sample, static_cast<int64_t>(plan.clip)};
    if (options.in_hand) options.in_hand->take(sample);
    Result<EncodedSample> made = encoder->encode(plan);
    if (options.in_hand) options.in_hand->put_back(sample);
    return made;
  }

  /// Each clip is named once, however often it comes round.
  void note_broken(size_t clip, const Error& error) {
    const std::lock_guard lock(mutex);
    ++stats.replaced;
    if (broken_clips.insert(clip).second) log::warn("prepare", "clip left out: " + error.text());
  }

  /// Thread border: what libtorch throws becomes an Error.
  Result<EncodedSample> make_safely(uint64_t sample) {
    try {
      return make(sample);
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::Exhausted, "memory ran out while making sample " + std::to_string(sample));
    } catch (const std::exception& thrown) {
      return fail(ErrorCode::Internal, "sample " + std::to_string(sample) + ": " + thrown.what());
    }
  }

  void work() {
    tensor::set_num_threads(1);
    for (;;) {
      uint64_t count = 0;
      {
        std::unique_lock lock(mutex);
        room.wait(lock, [&] { return stopping || next_to_make < next_to_give + options.prefetch; });
        if (stopping) break;
        count = next_to_make++;
        stats.begun = next_to_make;
      }
      Result<EncodedSample> made = make_safely(number(count));
      const std::lock_guard lock(mutex);
      ready.emplace(count, std::move(made));
      arrived.notify_all();
    }
    const std::lock_guard lock(mutex);
    --at_work;
    ended.notify_all();
  }

  const std::shared_ptr<const SampleEncoder> encoder;
  const StreamOptions options;
  const uint64_t first;
  mutable std::mutex mutex;
  std::condition_variable room, arrived, ended;
  // Counts of this stream's own samples.
  std::map<uint64_t, Result<EncodedSample>> ready;
  uint64_t next_to_make = 0, next_to_give = 0;
  StreamStats stats;
  std::set<size_t> broken_clips;
  bool stopping = false;
  size_t at_work = 0;  ///< threads
  std::vector<std::thread> threads;
};

SampleStream::SampleStream(std::shared_ptr<const SampleEncoder> encoder, StreamOptions options,
                           uint64_t first)
    : state_(std::make_shared<State>(std::move(encoder), std::move(options), first)) {
  const size_t num_threads = std::max<size_t>(1, state_->options.num_threads);
  state_->at_work = num_threads;
  for (size_t i = 0; i < num_threads; ++i) state_->threads.emplace_back([state = state_] { state->work(); });
}

SampleStream::~SampleStream() {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  s.stopping = true;
  s.room.notify_all();
  const bool is_over = s.ended.wait_for(lock, s.options.end_deadline, [&] { return s.at_work == 0; });
  if (!is_over) {
    log::error("prepare", std::to_string(s.at_work) + " threads did not finish their sample in " +
                              std::to_string(s.options.end_deadline.count() / 1000) +
                              " s and are left to themselves: is the disk that holds the clips still there?");
  }
  std::vector<std::thread> threads = std::move(s.threads);
  lock.unlock();
  for (std::thread& thread : threads) is_over ? thread.join() : thread.detach();
}

Result<EncodedSample> SampleStream::next() {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  const uint64_t wanted = s.next_to_give;
  const auto deadline = std::chrono::steady_clock::now() + s.options.deadline;
  while (!s.arrived.wait_for(lock, kPoll, [&] { return s.ready.contains(wanted); })) {
    if (s.options.should_stop && s.options.should_stop())
      return fail(ErrorCode::Cancelled, "stopped on request");
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(ErrorCode::Timeout, "sample " + std::to_string(s.number(wanted)) + " was not ready after " +
                                          std::to_string(s.options.deadline.count() / 1000) +
                                          " s: is the disk that holds the clips still there?");
  }
  auto node = s.ready.extract(wanted);
  if (!node.mapped()) return fail(std::move(node.mapped()).error());
  ++s.next_to_give;
  ++s.stats.samples;
  s.room.notify_all();
  return std::move(node.mapped());
}

StreamStats SampleStream::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

}  // namespace zt::prepare
