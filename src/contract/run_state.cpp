// SPDX-License-Identifier: Apache-2.0
#include "contract/run_state.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/clock.hpp"
#include "base/host_name.hpp"
#include "base/process/pulse.hpp"

namespace zt::contract {
namespace {

constexpr double kHeartbeatLimit_s = 120;

// The newest attempt's records, as far as they are written.
struct Newest {
  const AttemptStarted* started = nullptr;
  const AttemptFinished* finished = nullptr;
};

Newest newest_records(int64_t generation, const EventLog& events) {
  Newest out;
  for (const auto& event : events.events) {
    if (event.generation != generation) continue;
    if (const auto* e = std::get_if<AttemptStarted>(&event.body)) out.started = e;
    if (const auto* e = std::get_if<AttemptFinished>(&event.body)) out.finished = e;
  }
  return out;
}

RunCondition condition_of(const AttemptFinished& end) {
  if (end.outcome == "completed") return RunCondition::Completed;
  return end.outcome == "stopped" ? RunCondition::Stopped : RunCondition::Failed;
}

bool is_alive(const AttemptStarted* started, const std::optional<Progress>& progress) {
  const int64_t pid = progress ? progress->pid : started ? started->pid : 0;
  if (started && started->host != host_name()) {
    return progress && clock::unix_now_s() - progress->heartbeat_s < kHeartbeatLimit_s;
  }
  return pid > 0 && process::is_running(static_cast<pid_t>(pid));
}

std::optional<double> median(const MetricSeries& metrics, std::string_view name) {
  const auto found = metrics.by_name.find(name);
  if (found == metrics.by_name.end() || found->second.empty()) return std::nullopt;
  std::vector<double> values;
  for (const MetricPoint& point : found->second) values.push_back(point.value);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::string_view name(RunCondition condition) {
  constexpr std::array<std::string_view, 6> kNames = {"created", "running", "completed",
                                                      "stopped", "failed",  "interrupted"};
  return kNames[static_cast<size_t>(condition)];
}

RunState judge(int64_t newest_generation, const EventLog& events, const MetricSeries& metrics,
               const std::optional<Progress>& progress, bool is_alive) {
  RunState state;
  state.generation = newest_generation;
  for (const auto& event : events.events) {
    if (const auto* e = std::get_if<ValidationDone>(&event.body)) {
      state.validation_loss = e->loss;
      if (!state.best_loss || e->loss < *state.best_loss) state.best_loss = e->loss;
    }
    if (const auto* e = std::get_if<ScheduleChanged>(&event.body)) state.total_steps = e->total_steps;
    if (const auto* e = std::get_if<AttemptFinished>(&event.body)) state.step = std::max(state.step, e->step);
  }
  if (const auto it = metrics.by_name.find("train/loss"); it != metrics.by_name.end()) {
    state.train_loss = it->second.back().value;
    state.step = std::max(state.step, it->second.back().step);
  }
  state.samples_per_s = median(metrics, "train/samples_per_s");
  if (progress) {
    if (progress->phase == Phase::Training) state.step = std::max(state.step, progress->step);
    if (progress->phase == Phase::Training && progress->total_steps > 0)
      state.total_steps = progress->total_steps;
  }
  if (newest_generation == 0) return state;
  const Newest newest = newest_records(newest_generation, events);
  if (newest.finished) {
    state.condition = condition_of(*newest.finished);
    state.message = newest.finished->message;
  } else {
    state.condition = is_alive ? RunCondition::Running : RunCondition::Interrupted;
  }
  return state;
}

Result<RunState> run_state(const RunFolder& run) {
  ZT_TRY_ASSIGN(const EventLog events, read_events(run.events()));
  ZT_TRY_ASSIGN(const MetricSeries metrics, read_metrics(run.metrics()));
  ZT_TRY_ASSIGN(const auto attempts, run.attempts());
  if (attempts.empty()) return judge(0, events, metrics, std::nullopt, false);
  const auto progress = read_progress(attempts.back().progress());
  const int64_t generation = attempts.back().generation;
  return judge(generation, events, metrics, progress,
               is_alive(newest_records(generation, events).started, progress));
}

}  // namespace zt::contract
