// SPDX-License-Identifier: Apache-2.0
// See worker_group.hpp.
#include "cli/worker_group.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/error_policy.hpp"
#include "exchange/snapshot_file.hpp"

namespace zt::cli {
namespace {

constexpr const char* kWaitPolicy = "OMP_WAIT_POLICY";
/// Without one rank the others can do nothing useful: in training they notice and end by themselves, while
/// they load they would wait for it.
constexpr std::chrono::seconds kEndLimit{1};

Status make_memory(std::optional<files::Descriptor>& place) {
  ZT_TRY_ASSIGN(auto made, exchange::SnapshotFile::make());
  place.emplace(std::move(made));
  return {};
}

}  // namespace

Result<WorkerGroup> WorkerGroup::start(const WorkerSession& session) {
  WorkerGroup group(session);
  ZT_TRY_ASSIGN(const auto program, find_worker());
  group.program_ = program.string();
  group.ranks_.resize(1 + session.others.size());
  for (size_t rank = 0; rank < group.size(); ++rank) {
    if (session.restarts) ZT_TRY(make_memory(group.ranks_[rank].memory));
    if (session.restarts && session.call.place.ranks > 1) ZT_TRY(make_memory(group.ranks_[rank].peer_memory));
    ZT_TRY(group.spawn(rank, session.call_of(rank)));
  }
  return group;
}

Status WorkerGroup::spawn(size_t rank, const contract::WorkerCall& call) {
  process::SpawnOptions options;
  options.argv = {program_};
  for (std::string& argument : contract::to_args(call)) options.argv.push_back(std::move(argument));
  // Threads that wait sleep instead of spinning: on a machine with other work a spinning one takes the core
  // from the thread it waits for (a step of the quickstart then took several times as long).
  if (!std::getenv(kWaitPolicy)) options.env.emplace_back(kWaitPolicy, "passive");
  if (!session_.rendezvous_token.empty())
    options.env.emplace_back(contract::kRendezvousToken, session_.rendezvous_token);
  options.parent_death_signal = SIGTERM;  // without its launcher a run saves and ends
  options.err = process::Stream::to_file(session_.log_of(rank));
  if (rank == 0 && session_.keep_results) options.out = process::Stream::pipe();
  Rank& started = ranks_[rank];
  const auto lend = [&](const char* option, const std::optional<files::Descriptor>& file) {
    if (!file) return;
    options.argv.insert(options.argv.end(), {option, std::to_string(file->get())});
    options.inherited.push_back(file->get());
  };
  lend("--memory-fd", started.memory);
  lend("--peer-fd", started.peer_memory);
  ZT_TRY_ASSIGN(auto child, process::Child::spawn(options));
  started.child.emplace(std::move(child));
  started.exit.reset();
  return {};
}

Status WorkerGroup::restart(size_t rank, int64_t generation, int64_t number) {
  contract::WorkerCall call = session_.call_of(rank);
  call.generation = generation;
  call.restart = number;
  ZT_TRY(spawn(rank, call));
  failed_first_.reset();
  return {};
}

void WorkerGroup::send(int signal) {
  for (const Rank& rank : ranks_) (void)rank.child->send(signal);
}

void WorkerGroup::note_failure(int rank) {
  // Ranks that end together: one that only lost another is not the cause.
  if (!failed_first_ || is_consequence(*exit_of(static_cast<size_t>(*failed_first_)))) failed_first_ = rank;
}

void WorkerGroup::end_soon() {
  if (!kill_at_) kill_at_ = Clock::now() + kEndLimit;
}

bool WorkerGroup::has_ended() const {
  return std::ranges::all_of(ranks_, [](const Rank& rank) { return rank.exit.has_value(); });
}

bool WorkerGroup::has_failed(size_t rank) const {
  return ranks_[rank].exit && is_failure(*ranks_[rank].exit);
}

GroupEnd WorkerGroup::end() const {
  if (session_.restarts && !has_failed(0))
    return {*exit_of(0), 0};  // whatever became of the others after all was saved
  const int failed = failed_first_.value_or(0);
  const auto end_of = [&](int rank) { return GroupEnd{*exit_of(static_cast<size_t>(rank)), rank}; };
  if (!is_consequence(end_of(failed).exit)) return end_of(failed);
  // One that was asked to stop while it loaded leaves the others without their first rank: that is no
  // failure.
  for (size_t i = 0; i < size(); ++i)
    if (ranks_[i].exit->code == kExitResumable) return end_of(static_cast<int>(i));
  return end_of(failed);
}

Result<std::optional<GroupEnd>> WorkerGroup::wait(std::chrono::milliseconds moment) {
  ZT_TRY(look(moment));
  news_ += hangs_.tend(*this);
  ZT_TRY_ASSIGN(const std::string lines, recovery_.tend(*this));
  news_ += lines;
  return has_ended() ? std::optional(end()) : std::nullopt;
}

Status WorkerGroup::look(std::chrono::milliseconds moment) {
  const Clock::time_point until = Clock::now() + moment;
  bool all_ended = true;
  for (size_t i = 0; i < size(); ++i) {
    Rank& rank = ranks_[i];
    if (rank.exit) continue;
    // The moment is spent on the first that runs; the others are only looked at.
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    auto ended = rank.child->wait(all_ended ? std::max(left, std::chrono::milliseconds(0))
                                            : std::chrono::milliseconds(0));
    if (ended) {
      rank.exit = *ended;
      if (is_failure(*ended)) note_failure(static_cast<int>(i));
    } else if (ended.error().code != ErrorCode::Timeout) {
      return fail(std::move(ended.error()));
    } else {
      all_ended = false;
    }
  }
  if (kill_at_ && Clock::now() > *kill_at_) send(SIGKILL);
  return {};
}

}  // namespace zt::cli
