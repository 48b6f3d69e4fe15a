// SPDX-License-Identifier: Apache-2.0
// See hang_rule.hpp.
#include "cli/failure/hang_rule.hpp"

#include <algorithm>
#include <array>

namespace zt::cli {

std::string_view name(Hang::Kind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"stopped", "asleep", "spinning", "waiting"};
  return kNames[static_cast<size_t>(kind)];
}

void HangRule::count(Seen& seen, const RankLook& found, double passed_s) {
  const process::Pulse& pulse = found.pulse;
  if (found.words.pid != seen.pid || found.words.heartbeat_s != seen.heartbeat_s) {
    seen = {found.words.pid, found.words.heartbeat_s, pulse.cpu_s, pulse.is_stopped};
    return;
  }
  const double computing_s = std::clamp(pulse.cpu_s - seen.cpu_s, 0.0, passed_s);
  seen.silent_s += passed_s;
  seen.stopped_s = pulse.is_stopped && seen.is_stopped ? seen.stopped_s + passed_s : 0;
  seen.computing_s += computing_s;
  if (!pulse.is_active) seen.asleep_s += passed_s - computing_s;
  seen.cpu_s = pulse.cpu_s;
  seen.is_stopped = pulse.is_stopped;
}

std::optional<Hang::Kind> HangRule::judge(const Seen& seen, const contract::Progress& words) {
  if (words.stop_limit_s > 0 && seen.stopped_s >= words.stop_limit_s) return Hang::Kind::Stopped;
  if (words.limit_s <= 0 || words.activity == contract::Activity::Exchange || seen.is_stopped)
    return std::nullopt;
  if (seen.asleep_s >= words.limit_s) return Hang::Kind::Asleep;
  if (seen.computing_s >= kSpinTimes * words.limit_s) return Hang::Kind::Spinning;
  return std::nullopt;
}

std::optional<Hang> HangRule::judge_all(std::span<const std::optional<RankLook>> ranks) const {
  if (!sees_all_ || ranks.size() < 2) return std::nullopt;
  size_t last = 0;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    if (!ranks[rank]) return std::nullopt;
    const contract::Progress& words = ranks[rank]->words;
    const bool waits = words.activity == contract::Activity::Exchange && words.limit_s > 0;
    if (!waits || seen_[rank].asleep_s < words.limit_s) return std::nullopt;
    if (seen_[rank].silent_s < seen_[last].silent_s) last = rank;
  }
  return Hang{last, Hang::Kind::Waiting, seen_[last].silent_s};
}

std::vector<Hang> HangRule::look(double now_s, std::span<const std::optional<RankLook>> ranks) {
  seen_.resize(ranks.size());
  const double passed_s = last_look_s_ ? std::min(now_s - *last_look_s_, kLongestLook_s) : 0;
  last_look_s_ = now_s;
  std::vector<Hang> hangs;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    if (!ranks[rank]) {
      seen_[rank] = {};
      continue;
    }
    count(seen_[rank], *ranks[rank], passed_s);
    const auto kind = judge(seen_[rank], ranks[rank]->words);
    const double lasted_s = kind == Hang::Kind::Stopped ? seen_[rank].stopped_s : seen_[rank].silent_s;
    if (kind) hangs.push_back({rank, *kind, lasted_s});
  }
  if (hangs.empty())
    if (const auto waiting = judge_all(ranks)) hangs.push_back(*waiting);
  return hangs;
}

}  // namespace zt::cli
