// SPDX-License-Identifier: Apache-2.0
// See restart_policy.hpp.
#include "cli/failure/restart_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <csignal>
#include <functional>
#include <iterator>

#include "base/error_policy.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

/// By how often the host was lost before. Ranks that live wait five minutes for the others.
constexpr std::array kHostDelays = {std::chrono::seconds(0), std::chrono::seconds(10),
                                    std::chrono::seconds(60), std::chrono::seconds(120)};

/// Words without what differs between two reports of one cause: addresses, sizes, times.
std::string class_of(std::string_view words) {
  std::string out;
  for (const char c : words) {
    if (!std::isdigit(static_cast<unsigned char>(c))) {
      out += c;
    } else if (out.empty() || out.back() != '#') {
      out += '#';
    }
  }
  return out;
}

}  // namespace

bool is_worth_a_restart(const process::Exit& exit) {
  if (exit.signal != 0) return true;
  if (exit.code == contract::kExitStoppedNow) return false;
  const auto error = contract::error_of_exit(exit.code);
  return !error || policy(*error).restarts_worker;
}

bool is_own_doing(const RankFailure& failure) {
  if (failure.has_hung) return true;
  if (failure.exit.signal == 0) return contract::error_of_exit(failure.exit.code) == ErrorCode::Internal;
  constexpr std::array kOfTheProgram = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  return std::ranges::find(kOfTheProgram, failure.exit.signal) != kOfTheProgram.end();
}

// By sample, not by clip: with few clips, two unrelated crashes may well have the same ones in hand, but the
// same sample only if training did not get past it.
std::vector<DeadlySamples> RestartPolicy::find_deadly(const std::vector<RankFailure>& failures, Time now) {
  std::vector<DeadlySamples> deadly;
  for (const RankFailure& failure : failures) {
    if (!is_own_doing(failure) || failure.samples.empty()) continue;
    DeadlySamples found{failure, {}};
    for (const Crash& before : crashes_) {
      if (before.rank != failure.rank) continue;
      std::ranges::set_intersection(before.samples, failure.samples,
                                    std::inserter(found.samples, found.samples.end()));
    }
    std::erase_if(found.samples, [&](const auto& sample) { return left_out_.contains(sample); });
    // Those being read first: they are few, and what is trained on has been read without harm.
    const auto is_read = [](const auto& sample) { return !sample.is_in_step; };
    if (std::ranges::any_of(found.samples, is_read)) std::erase_if(found.samples, std::not_fn(is_read));
    left_out_.insert(found.samples.begin(), found.samples.end());
    if (!found.samples.empty()) deadly.push_back(std::move(found));
    crashes_.push_back({failure.rank, now, failure.samples});
  }
  return deadly;
}

RestartDecision RestartPolicy::decide(const std::vector<RankFailure>& failures, Time now) {
  const auto is_over = [&](Time then) { return now - then >= rules_.window; };
  std::erase_if(granted_, is_over);
  std::erase_if(hosts_lost_, [&](const auto& loss) { return is_over(loss.second); });
  std::erase_if(seen_, [&](const auto& end) { return is_over(end.second.time); });
  std::erase_if(crashes_, [&](const auto& crash) { return is_over(crash.time); });
  std::string repeated;
  for (const RankFailure& failure : failures) furthest_ = std::max(furthest_, failure.step);
  for (const RankFailure& failure : failures) {
    if (rules_.max_restarts == 0 || !(failure.is_host_lost || is_worth_a_restart(failure.exit))) return {};
    if (failure.is_host_lost) continue;  // that it is away again says nothing of the run
    const Signature signature{failure.rank, failure.exit.shell_code(), class_of(failure.message),
                              failure.position};
    const auto [seen, is_new] = seen_.try_emplace(signature, Seen{now, furthest_});
    // The run has come further in between: then it gets past that place.
    const bool is_stuck = !is_new && seen->second.furthest == furthest_;
    seen->second = {now, furthest_};
    if (is_stuck)
      repeated = fmt::format("rank {} has ended by {} {} for the second time: it would again", failure.rank,
                             failure.exit.text(), failure.position);
  }
  RestartDecision decision{.restarts = true, .reason = {}, .deadly = find_deadly(failures, now)};
  if (!repeated.empty() && decision.deadly.empty())
    return {false, repeated + (left_out_.empty() ? "" : "; leaving out clips did not help")};
  if (used() >= rules_.max_restarts)
    return {false, fmt::format("there were {} restarts within {} minutes, which is all that --max-restarts "
                               "allows",
                               used(), rules_.window.count())};
  granted_.push_back(now);
  const auto lost = std::ranges::find_if(failures, &RankFailure::is_host_lost);
  if (lost != failures.end()) {
    const auto before = std::ranges::count(hosts_lost_, lost->rank, &std::pair<int, Time>::first);
    decision.host_delay = kHostDelays[std::min(static_cast<size_t>(before), kHostDelays.size() - 1)];
    hosts_lost_.emplace_back(lost->rank, now);
  }
  return decision;
}

}  // namespace zt::cli
