// SPDX-License-Identifier: Apache-2.0
// See schedule_trace.hpp.
#include "dist/backends/schedule_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace zt::dist {
namespace {

/// Ranks that wait for each other are closer than that: each waits for what it began itself, a few ahead.
constexpr size_t kNewest = 256;
constexpr std::chrono::milliseconds kAnswerLimit(200);

std::string key_of(const Meeting& meeting, int rank) { return fmt::format("{}did/{}", meeting.prefix, rank); }

/// Takes a number and the character behind it off the front.
template <class Number>
std::optional<Number> take(std::string_view& text, int base) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(std::min(static_cast<size_t>(end - text.data()) + 1, text.size()));
  return value;
}

}  // namespace

void ScheduleTrace::started(const Operation& operation) {
  const std::lock_guard lock(mutex_);
  newest_.push_back({operation.sequence, operation.fingerprint});
  if (newest_.size() > kNewest) newest_.pop_front();
}

void ScheduleTrace::wait_begins() {
  const std::lock_guard lock(mutex_);
  waiting_.emplace();
}

void ScheduleTrace::wait_ends() {
  const std::lock_guard lock(mutex_);
  waiting_.reset();
}

std::chrono::milliseconds ScheduleTrace::waits_for() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::milliseconds(waiting_ ? static_cast<int64_t>(1000 * waiting_->seconds()) : 0);
}

std::string ScheduleTrace::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const Entry& entry : newest_) out += fmt::format("{}:{:08x} ", entry.sequence, entry.fingerprint);
  return out;
}

std::optional<uint64_t> ScheduleTrace::first_difference(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  while (!text.empty()) {
    const auto sequence = take<uint64_t>(text, 10);
    const auto fingerprint = take<uint32_t>(text, 16);
    if (!sequence || !fingerprint) return std::nullopt;
    const auto own = std::ranges::find(newest_, *sequence, &Entry::sequence);
    if (own != newest_.end() && own->fingerprint != *fingerprint) return sequence;
  }
  return std::nullopt;
}

// Where two ranks do different things, so do two neighbours in the ring: what they find ends all.
std::optional<Outcome> compare_schedules(const ScheduleTrace& mine, const Meeting& meeting,
                                         rendezvous::Client& store) {
  if (!store.set(key_of(meeting, meeting.rank), mine.text())) return std::nullopt;
  const int size = meeting.size();
  for (const int other : std::set{(meeting.rank + 1) % size, (meeting.rank + size - 1) % size}) {
    const auto theirs = store.get(key_of(meeting, other), clock::in(kAnswerLimit));
    if (!theirs) continue;  // it does not wait
    if (const auto sequence = mine.first_difference(*theirs))
      return Outcome{Outcome::Kind::Diverged, *sequence, {other}, {}};
  }
  return std::nullopt;
}

}  // namespace zt::dist
