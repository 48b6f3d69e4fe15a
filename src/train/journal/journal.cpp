// SPDX-License-Identifier: Apache-2.0
// See journal.hpp.
#include "train/journal/journal.hpp"

#include <fmt/format.h>

#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"

namespace zt::train {
namespace {

constexpr const char* kWriter = "rank0";
constexpr std::chrono::seconds kSyncLimit(30);

}  // namespace

Result<Journal> Journal::open(const contract::RunFolder& run, const contract::Attempt& attempt,
                              const std::filesystem::path& progress, int rank) {
  const std::filesystem::path path = progress.empty() ? attempt.progress(rank) : progress;
  ZT_TRY_ASSIGN(auto page, contract::ProgressWriter::open(path));
  ZT_TRY_ASSIGN(auto in_hand, contract::SamplesInHand::open(path));
  Journal journal(std::make_shared<RankWords>(std::move(page), attempt.generation), std::move(in_hand));
  if (rank != 0) return journal;
  ZT_TRY_ASSIGN(auto events, contract::EventWriter::create(run.events(), attempt.generation, kWriter));
  ZT_TRY_ASSIGN(auto metrics, contract::MetricWriter::create(run.metrics(), attempt.generation, kWriter));
  journal.events_ = std::make_shared<contract::EventWriter>(std::move(events));
  journal.metrics_ = std::make_shared<contract::MetricWriter>(std::move(metrics));
  return journal;
}

void Journal::Health::note(const Status& status) {
  if (!status && !is_failing)
    log::error("train", fmt::format("{} can't be written for now: {}", what, status.error().text()));
  if (status && is_failing) log::info("train", fmt::format("{} can be written again", what));
  is_failing = !status;
}

void Journal::event(const contract::EventBody& body) {
  if (events_) events_health_.note(events_->write(body));
}

void Journal::metrics(int64_t step, const std::map<std::string, double>& values) {
  if (!metrics_) return;
  std::vector<contract::MetricValue> row;
  for (const auto& [name, value] : values) row.push_back({name, value});
  metrics_health_.note(metrics_->write(step, row));
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

void Journal::progress_step(const StepProgress& now) {
  words_->update([&](contract::Progress& published) {
    published.phase = contract::Phase::Training;
    published.action.clear();
    published.step = now.step;
    published.total_steps = now.total_steps;
    published.loss = now.loss;
    published.samples_per_s = now.samples_per_s;
    published.eta_s = now.eta_s;
  });
}

bool Journal::is_synced_within(std::chrono::milliseconds limit) {
  if (!syncing_.valid()) return true;
  if (syncing_.wait_for(limit) != std::future_status::ready) return false;
  sync_health_.note(syncing_.get());
  return true;
}

void Journal::sync_later() {
  if (!events_ || !is_synced_within(std::chrono::milliseconds(0))) return;
  std::packaged_task<Status()> sync([events = events_, metrics = metrics_]() -> Status {
    ZT_TRY(events->sync());
    return metrics->sync();
  });
  syncing_ = sync.get_future();
  std::thread(std::move(sync)).detach();  // a disk that is gone must not keep the process
}

void Journal::sync() {
  if (!is_synced_within(kSyncLimit)) return;
  sync_later();
  if (!is_synced_within(kSyncLimit))
    log::warn("train", "the disk did not confirm events and metrics in time");
}

}  // namespace zt::train
