// SPDX-License-Identifier: Apache-2.0
// How a run stands, derived from its events, metrics and progress words: what listings and reports show.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "contract/events.hpp"
#include "contract/metrics.hpp"
#include "contract/run_folder.hpp"
#include "contract/words/progress.hpp"

namespace zt::contract {

enum class RunCondition {
  Created,  ///< no attempt yet
  Running,
  Completed,
  Stopped,      ///< on request; can be resumed
  Failed,       ///< ended with an error
  Interrupted,  ///< the worker is gone without a word: killed, or the machine went down
};
std::string_view name(RunCondition condition);

struct RunState {
  RunCondition condition = RunCondition::Created;
  int64_t generation = 0;                 ///< of the newest attempt
  int64_t step = 0;                       ///< the highest step known
  int64_t total_steps = 0;                ///< 0 = not known
  std::optional<double> train_loss;       ///< newest "train/loss"
  std::optional<double> validation_loss;  ///< newest
  std::optional<double> best_loss;        ///< lowest validation loss
  std::optional<double> samples_per_s;    ///< median over the steps
  std::string message;                    ///< of the failure
};

/// Pure: the state these records mean. `progress` is of the newest attempt; `is_alive` says whether its
/// process runs.
RunState judge(int64_t newest_generation, const EventLog& events, const MetricSeries& metrics,
               const std::optional<Progress>& progress, bool is_alive);

/// Reads everything and judges. A process of this host is asked for by its pid; one of another host counts as
/// alive for two minutes after its last heartbeat.
Result<RunState> run_state(const RunFolder& run);

}  // namespace zt::contract
