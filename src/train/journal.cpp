// SPDX-License-Identifier: Apache-2.0
// See journal.hpp.
#include "train/journal.hpp"

#include <utility>
#include <vector>

#include "base/log.hpp"

namespace zt::train {
namespace {

constexpr const char* kWriter = "rank0";

}  // namespace

Result<Journal> Journal::open(const contract::RunFolder& run, const contract::Attempt& attempt,
                              const std::filesystem::path& progress, int rank) {
  ZT_TRY_ASSIGN(auto page,
                contract::ProgressWriter::open(progress.empty() ? attempt.progress(rank) : progress));
  Journal journal(std::make_shared<RankWords>(std::move(page), attempt.generation));
  if (rank != 0) return journal;
  ZT_TRY_ASSIGN(auto events, contract::EventWriter::create(run.events(), attempt.generation, kWriter));
  ZT_TRY_ASSIGN(auto metrics, contract::MetricWriter::create(run.metrics(), attempt.generation, kWriter));
  journal.events_.emplace(std::move(events));
  journal.metrics_.emplace(std::move(metrics));
  return journal;
}

void Journal::check(const Status& status) {
  if (status || has_warned_) return;
  has_warned_ = true;
  log::error("train", "events or metrics can't be written: " + status.error().text());
}

void Journal::event(const contract::EventBody& body) {
  if (events_) check(events_->write(body));
}

void Journal::metrics(int64_t step, const std::map<std::string, double>& values) {
  if (!metrics_) return;
  std::vector<contract::MetricValue> row;
  for (const auto& [name, value] : values) row.push_back({name, value});
  check(metrics_->write(step, row));
}

void Journal::publish(const contract::Progress& state) {
  words_->update([&](contract::Progress& now) { now = state; });
}

void Journal::progress(contract::Phase phase, std::string action) {
  words_->update([&](contract::Progress& now) {
    now.phase = phase;
    now.action = std::move(action);
  });
}

void Journal::progress_step(int64_t step, int64_t total_steps, double loss, double samples_per_s,
                            double eta_s) {
  words_->update([&](contract::Progress& now) {
    now.phase = contract::Phase::Training;
    now.action.clear();
    now.step = step;
    now.total_steps = total_steps;
    now.loss = loss;
    now.samples_per_s = samples_per_s;
    now.eta_s = eta_s;
  });
}

void Journal::sync() {
  if (events_) check(events_->sync());
  if (metrics_) check(metrics_->sync());
}

}  // namespace zt::train
