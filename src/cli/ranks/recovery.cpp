// SPDX-License-Identifier: Apache-2.0
// See recovery.hpp.
#include "cli/ranks/recovery.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error_policy.hpp"
#include "base/files/files.hpp"
#include "base/signals.hpp"
#include "cli/failure/last_error.hpp"
#include "cli/ranks/fault_events.hpp"
#include "cli/ranks/rank_group.hpp"
#include "contract/exit_codes.hpp"
#include "contract/left_out.hpp"
#include "contract/words/progress.hpp"
#include "rendezvous/client.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kStoreLimit{5};
/// Without one rank the others can do nothing useful: in training they notice and end by themselves, while
/// they load they would wait for it. All are gone within a second.
constexpr std::chrono::milliseconds kEndLimit{700};
/// When the first rank is done all are but for the end of their processes, which may have a GPU to close.
constexpr std::chrono::seconds kLeaveLimit{10};
constexpr std::chrono::seconds kHoldLimit{60};

bool is_clean(const process::Exit& exit) { return exit.ok() || exit.code == kExitResumable; }

// Its log and progress words are those of the first attempt for as long as the launch lasts: a survivor has
// them open. Where the file system has no links the later attempts go without.
void link_rank_files(const contract::WorkerCall& call, const fs::path& log,
                     const contract::Attempt& attempt) {
  const auto rank = static_cast<int>(call.place.rank);
  std::error_code ignored;
  fs::create_hard_link(log, attempt.log(rank), ignored);
  fs::create_hard_link(call.progress, attempt.progress(rank), ignored);
}

// What a process said; the page may still hold the words of the one before it, which was of an earlier
// attempt.
std::optional<contract::Progress> own_words(const fs::path& page, int64_t started_in) {
  const auto progress = contract::read_progress(page);
  if (!progress || progress->generation < started_in) return std::nullopt;
  return progress;
}

bool is_loading(const std::optional<contract::Progress>& words) {
  return !words || words->phase < contract::Phase::Training;
}

}  // namespace

Recovery::Recovery(const WorkerSession& session)
    : session_(session),
      policy_({.max_restarts = session.restarts ? session.restarts->max_restarts : 0}),
      generation_(session.call.generation),
      started_in_(session.others.size() + 1, session.call.generation) {}

Result<std::string> Recovery::tend(RankGroup& workers) {
  // All ranks' last save is made by then.
  if (const auto& first = workers.end_of(0); first && is_clean(first->exit)) {
    is_over_ = true;
    workers.end_within(kLeaveLimit);
  }
  if (!is_over_ && was_stopped_early(workers)) {
    is_over_ = has_stopped_all_ = true;
    workers.send(SIGTERM);
    workers.end_within(kLeaveLimit);
  }
  std::vector<RankFailure> failures;
  std::vector<size_t> left_behind;
  for (size_t rank = 0; rank < workers.size(); ++rank) {
    if (awaited_.contains(rank)) continue;
    if (is_left_behind(workers, rank))
      left_behind.push_back(rank);
    else if (workers.has_failed(rank))
      failures.push_back(describe(workers, rank));
  }
  if (is_over_ || (failures.empty() && left_behind.empty() && awaited_.empty())) return std::string();
  const bool is_hopeless = !failures.empty() || !awaited_.empty();
  if (signals::stop() != signals::Stop::None && (is_hopeless || !is_stop_held_)) {
    give_up(workers);
    return std::string();
  }
  ZT_TRY(start_awaited(workers));
  if (failures.empty()) return start_left_behind(workers, left_behind);
  const RestartDecision decision = policy_.decide(failures, std::chrono::steady_clock::now());
  if (!decision.restarts) {
    give_up(workers);
    return decision.reason.empty() ? std::string() : "zoetrope: not restarted: " + decision.reason + "\n";
  }
  std::string lines;
  for (const RankFailure& failure : failures)
    lines += failure.is_host_lost ? fmt::format("zoetrope: {} is lost {}: {}\n", name_of(failure.rank),
                                                failure.position, failure.message)
                                  : fmt::format("zoetrope: {} ended by {} {}\n", name_of(failure.rank),
                                                failure.exit.text(), failure.position);
  for (const DeadlySamples& deadly : decision.deadly) {
    ZT_TRY_ASSIGN(const std::string line, leave_out(deadly));
    lines += line;
  }
  ZT_TRY(begin_next(workers, failures, decision.host_delay));
  const std::string when =
      awaited_.empty() ? "" : fmt::format("; the host is tried again in {} s", decision.host_delay.count());
  return lines + fmt::format("zoetrope: restarting as attempt {} (restart {} of at most {} in an hour){}\n",
                             generation_, policy_.used(), session_.restarts->max_restarts, when);
}

bool Recovery::are_all_back(const RankGroup& workers) const {
  for (size_t rank = 0; rank < workers.size(); ++rank) {
    const auto progress = contract::read_progress(session_.call_of(rank).progress);
    if (!progress || progress->generation < generation_ || progress->phase < contract::Phase::Training)
      return false;
  }
  return true;
}

bool Recovery::holds_stop(const RankGroup& workers) {
  if (signals::stop() == signals::Stop::None) return false;
  if (!hold_until_) {  // the moment of the request
    is_stop_held_ = restarts_ > 0;
    hold_until_ = clock::in(session_.hosts.empty() ? kHoldLimit : kHoldLimit / 6);
  }
  is_stop_held_ = is_stop_held_ && !is_over_ && signals::stop() == signals::Stop::Requested &&
                  clock::left(*hold_until_) > std::chrono::milliseconds(0) && !are_all_back(workers);
  return is_stop_held_;
}

std::string Recovery::name_of(int rank) const {
  return session_.others.empty() ? "the worker" : fmt::format("rank {}", rank);
}

// Its process is of an earlier attempt, and still was in that by its own words, or has said none.
bool Recovery::has_not_joined(size_t rank) const {
  const auto progress = contract::read_progress(session_.call_of(rank).progress);
  return started_in_[rank] < generation_ && (!progress || progress->generation < generation_);
}

// It ended in an earlier attempt: that had come to its end for it when the others began this one, or it was
// killed with the rank whose end began this one. (From another host its words may come late.)
bool Recovery::is_left_behind(const RankGroup& workers, size_t rank) const {
  const auto& end = workers.end_of(rank);
  if (restarts_ == 0 || !end) return false;
  // In this attempt already: another launcher's has taken the run over.
  if (contract::error_of_exit(end->exit.code) == ErrorCode::Superseded)
    return !session_.hosts.empty() || has_not_joined(rank);
  if (end->exit.signal != 0) return session_.hosts.empty() && has_not_joined(rank);
  return is_clean(end->exit) &&
         (has_not_joined(rank) || !contract::read_progress(session_.call_of(rank).progress));
}

// Asked to stop by itself, before the ranks had met: the others would wait for it, and can't hear why. In
// training such a request stops all of them too.
bool Recovery::was_stopped_early(const RankGroup& workers) const {
  if (restarts_ > 0) return false;
  for (size_t rank = 0; rank < workers.size(); ++rank) {
    const auto& end = workers.end_of(rank);
    if (end && end->exit.code == kExitResumable &&
        is_loading(own_words(session_.call_of(rank).progress, started_in_[rank])))
      return true;
  }
  return false;
}

RankFailure Recovery::describe(const RankGroup& workers, size_t rank) const {
  const RankEnd& end = *workers.end_of(rank);
  const fs::path& page = session_.call_of(rank).progress;
  const auto words = own_words(page, started_in_[rank]);
  RankFailure failure{
      .rank = static_cast<int>(rank),
      .exit = end.exit,
      .message = end.message,
      .position = is_loading(words) ? "while loading" : fmt::format("after step {}", words->step),
      .is_host_lost = end.is_host_lost,
      .has_hung = end.has_hung};
  if (!is_loading(words)) failure.step = words->step;
  // The error or hang of a validation is of none of the samples that are read ahead meanwhile.
  const bool is_of_validation =
      words && words->phase == contract::Phase::Validating && (end.exit.signal == 0 || end.has_hung);
  if (words && !is_of_validation) failure.samples = contract::read_samples_in_hand(page);
  if (failure.message.empty() && end.exit.signal == 0) failure.message = last_error(session_.log_of(rank));
  return failure;
}

// The ranks read the file when they begin the next generation.
Result<std::string> Recovery::leave_out(const DeadlySamples& deadly) const {
  const contract::RunFolder& run = session_.restarts->run;
  ZT_TRY_ASSIGN(std::vector<contract::LeftOutClip> clips, contract::read_left_out(run.left_out()));
  const RankFailure& second = deadly.second;
  const auto words = contract::read_progress(session_.call_of(static_cast<size_t>(second.rank)).progress);
  std::vector<contract::FaultFound> faults;
  std::string lines;
  for (const contract::SampleInHand& sample : deadly.samples) {
    const std::string why = fmt::format(
        "{} had sample {} of it in hand both times that it {}, the second time {}", name_of(second.rank),
        sample.number, second.has_hung ? "hung" : "ended by " + second.exit.text(), second.position);
    clips.push_back({sample.clip, why});
    lines += fmt::format("zoetrope: clip {} is left out from here on ({}): {}\n", sample.clip,
                         run.left_out().string(), why);
    faults.push_back({.step = words ? words->step : 0,
                      .rank = second.rank,
                      .cause = "data",
                      .what = fmt::format("clip {}: {}", sample.clip, why),
                      .action = "no more samples are taken from it"});
  }
  // A rank ends once in a generation.
  write_faults(run, generation_, fmt::format("crash-rank{}", second.rank), faults);
  ZT_TRY(files::write_atomic(run.left_out(), contract::to_json(clips)));
  return lines;
}

Result<std::string> Recovery::start_left_behind(RankGroup& workers, const std::vector<size_t>& ranks) {
  std::string lines;
  for (const size_t rank : ranks) {
    const RankFailure failure = describe(workers, rank);
    if (failure.exit.signal != 0)
      lines += fmt::format("zoetrope: {} too ended by {} {}: started again in attempt {}\n",
                           name_of(failure.rank), failure.exit.text(), failure.position, generation_);
    ZT_TRY(start(workers, rank));
  }
  return lines;
}

Status Recovery::start_awaited(RankGroup& workers) {
  if (awaited_.empty() || clock::left(start_awaited_at_) > std::chrono::milliseconds(0)) return {};
  for (const size_t rank : std::exchange(awaited_, {})) ZT_TRY(start(workers, rank));
  return {};
}

Status Recovery::begin_next(RankGroup& workers, const std::vector<RankFailure>& failures,
                            std::chrono::seconds host_delay) {
  if (host_delay > std::chrono::seconds(0)) {
    start_awaited_at_ = clock::in(host_delay);
    for (const RankFailure& failure : failures)
      if (failure.is_host_lost) awaited_.insert(static_cast<size_t>(failure.rank));
  }
  ZT_TRY_ASSIGN(const contract::Attempt attempt, session_.restarts->run.begin_attempt());
  for (size_t rank = 0; rank < workers.size(); ++rank)
    link_rank_files(session_.call_of(rank), session_.log_of(rank), attempt);
  std::string started = " ";
  for (size_t rank = 0; rank < workers.size(); ++rank)
    if (workers.end_of(rank)) started += fmt::format("{} ", rank);
  ZT_TRY(tell_store(attempt.generation, contract::kStartedRanks, started));
  generation_ = attempt.generation;
  ++restarts_;
  for (size_t rank = 0; rank < workers.size(); ++rank)
    if (workers.end_of(rank) && !awaited_.contains(rank)) ZT_TRY(start(workers, rank));
  return {};
}

Status Recovery::start(RankGroup& workers, size_t rank) {
  ZT_TRY(workers.start(rank, generation_, restarts_));
  started_in_[rank] = generation_;
  return {};
}

// Its greeting alone begins a generation.
Status Recovery::tell_store(int64_t generation, const char* key, const std::string& text) const {
  if (session_.others.empty()) return {};
  rendezvous::ClientOptions options;
  options.host = session_.restarts->store_host;
  options.port = session_.restarts->store_port;
  options.token = session_.rendezvous_token;
  options.generation = generation;
  ZT_TRY_ASSIGN(const auto store, rendezvous::Client::connect(options, clock::in(kStoreLimit)));
  return store->set(key, text);
}

void Recovery::give_up(RankGroup& workers) {
  is_over_ = true;
  if (session_.restarts)
    (void)tell_store(generation_, contract::kNoRestart, "yes");  // who does not hear it is killed
  workers.end_within(kEndLimit);
}

}  // namespace zt::cli
