// SPDX-License-Identifier: Apache-2.0
// See first_missing.hpp.
#include "cli/failure/first_missing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace zt::cli {
namespace {

using contract::ExchangeState;
using contract::Flight;
using contract::FlightExchange;

/// A member of a group and its exchanges there.
struct Record {
  int64_t rank = 0;
  std::vector<FlightExchange> exchanges;  ///< empty: it left no record
};

using Groups = std::map<std::string, std::vector<int64_t>>;

/// Of the newest generation, in order of ranks.
std::vector<const Flight*> newest_of(std::span<const std::optional<Flight>> by_rank) {
  int64_t newest = 0;
  for (const auto& flight : by_rank)
    if (flight) newest = std::max(newest, flight->generation);
  std::vector<const Flight*> flights;
  for (const auto& flight : by_rank)
    flights.push_back(flight && flight->generation == newest ? &*flight : nullptr);
  return flights;
}

std::vector<Record> records_of(const std::string& group, const std::vector<int64_t>& members,
                               std::span<const Flight* const> flights) {
  std::vector<Record> records;
  for (const int64_t rank : members) {
    Record& record = records.emplace_back(Record{rank, {}});
    if (rank < 0 || static_cast<size_t>(rank) >= flights.size()) continue;
    if (const Flight* flight = flights[static_cast<size_t>(rank)])
      std::ranges::copy_if(flight->exchanges, std::back_inserter(record.exchanges),
                           [&](const FlightExchange& e) { return e.group == group; });
  }
  return records;
}

const FlightExchange* find(const Record& record, uint64_t sequence) {
  const auto& all = record.exchanges;
  const auto found = std::lower_bound(all.begin(), all.end(), sequence,
                                      [](const FlightExchange& e, uint64_t s) { return e.sequence < s; });
  return found != all.end() && found->sequence == sequence ? &*found : nullptr;
}

/// What a rank did at a place of the schedule.
using ScheduledOperation = std::tuple<std::string, std::string, uint32_t>;
ScheduledOperation operation_of(const FlightExchange* exchange) {
  return exchange ? ScheduledOperation{exchange->operation, exchange->label, exchange->fingerprint}
                  : ScheduledOperation{};
}

std::optional<Missing> divergence_at(uint64_t sequence, std::span<const Record> records) {
  std::map<ScheduledOperation, std::vector<const Record*>> by_operation;
  for (const Record& record : records)
    if (!record.exchanges.empty()) by_operation[operation_of(find(record, sequence))].push_back(&record);
  if (by_operation.size() < 2) return std::nullopt;
  const auto most =
      std::max_element(by_operation.begin(), by_operation.end(),
                       [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const size_t known = static_cast<size_t>(
      std::count_if(records.begin(), records.end(), [](const Record& r) { return !r.exchanges.empty(); }));
  const bool has_majority = 2 * most->second.size() > known;
  Missing missing{Missing::Kind::Diverged, {}, {}};
  for (const auto& [operation, who] : by_operation) {
    for (const Record* record : who) {
      const FlightExchange* exchange = find(*record, sequence);
      const bool is_usual = has_majority && operation == most->first;
      if (exchange && (is_usual || missing.exchange.sequence == 0)) missing.exchange = *exchange;
      if (!is_usual) missing.ranks.push_back(record->rank);
    }
  }
  std::sort(missing.ranks.begin(), missing.ranks.end());
  return missing;
}

/// The first place that all records cover where they differ.
std::optional<Missing> divergence(std::span<const Record> records) {
  uint64_t first = 0, last = UINT64_MAX;
  for (const Record& record : records) {
    if (record.exchanges.empty()) continue;
    first = std::max(first, record.exchanges.front().sequence);
    last = std::min(last, record.exchanges.back().sequence);
  }
  std::vector<uint64_t> places;
  for (const Record& record : records) {
    if (record.exchanges.empty()) continue;
    for (const FlightExchange& e : record.exchanges)
      if (e.sequence >= first && e.sequence <= last) places.push_back(e.sequence);
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  for (const uint64_t place : places)
    if (auto missing = divergence_at(place, records)) return missing;
  return std::nullopt;
}

std::optional<Missing> not_entered(std::span<const Record> records) {
  const FlightExchange* stuck = nullptr;  // the furthest of those that the ranks, each, have not completed
  for (const Record& record : records) {
    if (record.exchanges.empty()) continue;
    const auto& all = record.exchanges;
    const auto open = std::find_if(
        all.begin(), all.end(), [](const FlightExchange& e) { return e.state != ExchangeState::Complete; });
    if (open != all.end() && (!stuck || open->sequence > stuck->sequence)) stuck = &*open;
  }
  if (!stuck) return std::nullopt;
  Missing missing{Missing::Kind::NotEntered, {}, *stuck};
  for (const Record& record : records)
    if (record.exchanges.empty() || record.exchanges.back().sequence < stuck->sequence)
      missing.ranks.push_back(record.rank);
  return missing.ranks.empty() ? std::nullopt : std::optional(missing);
}

}  // namespace

std::optional<Missing> first_missing(std::span<const std::optional<Flight>> by_rank) {
  const std::vector<const Flight*> flights = newest_of(by_rank);
  Groups groups;
  for (const Flight* flight : flights)
    if (flight) groups.insert(flight->groups.begin(), flight->groups.end());
  std::optional<Missing> first;
  for (const auto& [group, members] : groups) {
    const std::vector<Record> records = records_of(group, members, flights);
    if (auto missing = divergence(records)) return missing;
    auto missing = not_entered(records);
    if (missing && (!first || missing->exchange.started_s < first->exchange.started_s))
      first = std::move(missing);
  }
  return first;
}

std::string text_of(const Missing& missing) {
  const bool is_one = missing.ranks.size() == 1;
  const std::string who = fmt::format("rank{} {}", is_one ? "" : "s", fmt::join(missing.ranks, ", "));
  const std::string what =
      fmt::format("{} '{}' (exchange {} of {})", missing.exchange.operation, missing.exchange.label,
                  missing.exchange.sequence, missing.exchange.group);
  if (missing.kind == Missing::Kind::NotEntered)
    return fmt::format("{} {} not entered {}", who, is_one ? "has" : "have", what);
  return is_one ? fmt::format("{} is in a different operation than {}", who, what)
                : fmt::format("{} are in different operations at {}", who, what);
}

}  // namespace zt::cli
