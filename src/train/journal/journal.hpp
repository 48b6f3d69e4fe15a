// SPDX-License-Identifier: Apache-2.0
// What a launch writes down about itself: events, metrics, progress words. One object owns the three writers,
// so that the step loop says what happened and not where it goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "contract/events.hpp"
#include "contract/metrics.hpp"
#include "contract/run_folder.hpp"
#include "contract/words/progress.hpp"
#include "train/journal/rank_words.hpp"

namespace zt::train {

/// Where training is, between two steps.
struct StepProgress {
  int64_t step = 0;
  int64_t total_steps = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();   ///< NaN: not known yet
  double samples_per_s = 0;                                 ///< 0: not known yet
  double eta_s = std::numeric_limits<double>::quiet_NaN();  ///< NaN: not known yet
};

class Journal {
 public:
  /// `progress` empty = the attempt's own page of that rank. Only rank 0 writes events and metrics, which are
  /// of all ranks. Errors: AlreadyExists if this generation was written before.
  static Result<Journal> open(const contract::RunFolder& run, const contract::Attempt& attempt,
                              const std::filesystem::path& progress, int rank = 0);

  /// Training goes on where events and metrics can't be written (disk full); the log says when that begins
  /// and ends.
  void event(const contract::EventBody& body);
  void metrics(int64_t step, const std::map<std::string, double>& values);
  /// Publishes the state; fields that the caller leaves alone keep their value.
  void progress(contract::Phase phase, std::string action = "");
  void progress_step(const StepProgress& now);
  contract::Progress last_progress() const { return words_->last(); }
  void publish(const contract::Progress& state);
  /// Where the progress words go; shared with those who publish what happens within a step.
  const std::shared_ptr<RankWords>& words() const { return words_; }
  /// Where the rank's samples are noted while it has them in hand.
  const std::shared_ptr<contract::SamplesInHand>& in_hand() const { return in_hand_; }
  /// Has what was written survive a power loss soon: the disk works beside the caller. While it is still at
  /// an earlier call, this one is left out.
  void sync_later();
  /// The same for all that was written, and waits for it for a time.
  void sync();

 private:
  Journal(std::shared_ptr<RankWords> words, std::shared_ptr<contract::SamplesInHand> in_hand)
      : words_(std::move(words)), in_hand_(std::move(in_hand)) {}
  /// Whether one thing that this does works, as far as the log knows.
  struct Health {
    const char* what;
    bool is_failing = false;
    void note(const Status& status);
  };
  bool is_synced_within(std::chrono::milliseconds limit);
  /// Of rank 0; shared with the thread that syncs, which may outlive this.
  std::shared_ptr<contract::EventWriter> events_;
  std::shared_ptr<contract::MetricWriter> metrics_;
  std::shared_ptr<RankWords> words_;
  std::shared_ptr<contract::SamplesInHand> in_hand_;
  std::future<Status> syncing_;
  Health events_health_{"events"}, metrics_health_{"metrics"}, sync_health_{"events and metrics for good"};
};

}  // namespace zt::train
