// SPDX-License-Identifier: Apache-2.0
// What a launch writes down about itself: events, metrics, progress words. One object owns the three writers,
// so that the step loop says what happened and not where it goes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/error.hpp"
#include "contract/events.hpp"
#include "contract/metrics.hpp"
#include "contract/progress.hpp"
#include "contract/run_folder.hpp"

namespace zt::train {

class Journal {
 public:
  /// `progress` empty = the attempt's own page. Errors: AlreadyExists if this generation was written before.
  static Result<Journal> open(const contract::RunFolder& run, const contract::Attempt& attempt,
                              const std::filesystem::path& progress);

  /// Events and metrics that can't be written (disk full) are logged once; training goes on.
  void event(const contract::EventBody& body);
  void metrics(int64_t step, const std::map<std::string, double>& values);
  /// Publishes the state; fields that the caller leaves alone keep their value.
  void progress(contract::Phase phase, std::string action = "");
  void progress_step(int64_t step, int64_t total_steps, double loss, double samples_per_s, double eta_s);
  const contract::Progress& last_progress() const { return state_; }
  void publish(const contract::Progress& state);
  /// Makes what was written survive a power loss.
  void sync();

 private:
  Journal(contract::EventWriter events, contract::MetricWriter metrics, contract::ProgressWriter progress,
          int64_t generation);
  void check(const Status& status);
  contract::EventWriter events_;
  contract::MetricWriter metrics_;
  contract::ProgressWriter progress_;
  contract::Progress state_;
  bool has_warned_ = false;
};

}  // namespace zt::train
