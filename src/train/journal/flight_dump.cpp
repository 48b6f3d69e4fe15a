// SPDX-License-Identifier: Apache-2.0
// See flight_dump.hpp.
#include "train/journal/flight_dump.hpp"

#include <chrono>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "contract/words/flight.hpp"

namespace zt::train {
namespace {

/// How soon a request is noticed. Costs a wake-up of some microseconds.
constexpr std::chrono::milliseconds kPeriod{100};

contract::FlightExchange exchange_of(const std::string& group, const dist::FlightEntry& entry) {
  contract::FlightExchange e;
  e.group = group;
  e.sequence = entry.sequence;
  e.operation = dist::name(entry.kind);
  e.label = entry.label;
  e.bytes = entry.bytes;
  e.fingerprint = entry.fingerprint;
  e.state = entry.state == dist::FlightState::Started    ? contract::ExchangeState::Started
            : entry.state == dist::FlightState::Complete ? contract::ExchangeState::Complete
                                                         : contract::ExchangeState::Failed;
  e.started_s = entry.started_s;
  e.ended_s = entry.ended_s;
  return e;
}

}  // namespace

FlightDump::FlightDump(std::filesystem::path file, std::shared_ptr<RankWords> words)
    : file_(std::move(file)),
      words_(std::move(words)),
      answered_(signals::evidence_requests()),
      thread_([this] { stand_by(); }) {}

FlightDump::~FlightDump() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

void FlightDump::follow(const dist::Communicator& group) {
  const std::lock_guard lock(mutex_);
  groups_.push_back({group.identity(), group.flight()});
}

Status FlightDump::write(std::string_view reason) {
  const contract::Progress words = words_->last();
  contract::Flight flight;
  {
    const std::lock_guard lock(mutex_);
    if (groups_.empty()) return {};
    for (const auto& [identity, recorder] : groups_) {
      const dist::Member& me = identity.members[static_cast<size_t>(identity.rank)];
      flight.generation = identity.generation;
      flight.rank = me.world_rank;
      flight.host = me.host;
      for (const dist::Member& member : identity.members)
        flight.groups[identity.name].push_back(member.world_rank);
      for (const dist::FlightEntry& entry : recorder->entries())
        flight.exchanges.push_back(exchange_of(identity.name, entry));
    }
  }
  flight.step = words.step;
  flight.doing = contract::doing(words);
  flight.reason = reason;
  flight.time_s = clock::unix_now_s();
  return contract::write_flight(file_, flight);
}

void FlightDump::stand_by() {
  std::unique_lock lock(mutex_);
  do {
    const int asked = signals::evidence_requests();
    if (asked == answered_) continue;
    answered_ = asked;
    lock.unlock();
    if (const Status written = write("requested with SIGUSR2"); !written)
      log::warn("train", "no flight record: " + written.error().text());
    lock.lock();
  } while (!stopping_.wait_for(lock, kPeriod, [this] { return is_stopping_; }));
}

}  // namespace zt::train
