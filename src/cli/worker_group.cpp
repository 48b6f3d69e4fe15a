// SPDX-License-Identifier: Apache-2.0
// See worker_group.hpp.
#include "cli/worker_group.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/error_policy.hpp"

namespace zt::cli {
namespace {

constexpr const char* kWaitPolicy = "OMP_WAIT_POLICY";
/// Without one rank the others can do nothing useful: in training they notice and end by themselves, while
/// they load they would wait for it.
constexpr std::chrono::seconds kEndLimit{1};

process::SpawnOptions spawn_options(const WorkerSession& session, const std::string& program) {
  process::SpawnOptions options;
  options.argv = {program};
  // Threads that wait sleep instead of spinning: on a machine with other work a spinning one takes the core
  // from the thread it waits for (a step of the quickstart then took several times as long).
  if (!std::getenv(kWaitPolicy)) options.env.emplace_back(kWaitPolicy, "passive");
  if (!session.rendezvous_token.empty())
    options.env.emplace_back(contract::kRendezvousToken, session.rendezvous_token);
  options.parent_death_signal = SIGTERM;  // without its launcher a run saves and ends
  return options;
}

}  // namespace

Result<WorkerGroup> WorkerGroup::start(const WorkerSession& session) {
  ZT_TRY_ASSIGN(const auto program, find_worker());
  const process::SpawnOptions common = spawn_options(session, program.string());
  WorkerGroup group;
  const auto spawn = [&](const contract::WorkerCall& call, const std::filesystem::path& log,
                         bool has_pipe) -> Status {
    process::SpawnOptions options = common;
    for (std::string& argument : contract::to_args(call)) options.argv.push_back(std::move(argument));
    options.err = process::Stream::to_file(log);
    if (has_pipe) options.out = process::Stream::pipe();
    ZT_TRY_ASSIGN(auto child, process::Child::spawn(options));
    group.ranks_.push_back({std::move(child), {}});
    return {};
  };
  group.ranks_.reserve(1 + session.others.size());  // a child can't be moved by assignment
  ZT_TRY(spawn(session.call, session.log, session.keep_results));
  for (const OtherRank& other : session.others) ZT_TRY(spawn(other.call, other.log, /*has_pipe=*/false));
  return group;
}

void WorkerGroup::send(int signal) {
  for (const Rank& rank : ranks_) (void)rank.child.send(signal);
}

void WorkerGroup::note_failure(int rank) {
  if (!failed_first_) kill_at_ = Clock::now() + kEndLimit;
  // Ranks that end together: one that only lost another is not the cause.
  if (!failed_first_ || is_consequence(*ranks_[static_cast<size_t>(*failed_first_)].exit))
    failed_first_ = rank;
}

int WorkerGroup::decisive_rank() const {
  const int failed = failed_first_.value_or(0);
  if (!is_consequence(*ranks_[static_cast<size_t>(failed)].exit)) return failed;
  // One that was asked to stop while it loaded leaves the others without their first rank: that is no
  // failure.
  for (size_t i = 0; i < ranks_.size(); ++i)
    if (ranks_[i].exit->code == kExitResumable) return static_cast<int>(i);
  return failed;
}

Result<std::optional<GroupEnd>> WorkerGroup::wait(std::chrono::milliseconds moment) {
  const Clock::time_point until = Clock::now() + moment;
  bool all_ended = true;
  for (size_t i = 0; i < ranks_.size(); ++i) {
    Rank& rank = ranks_[i];
    if (rank.exit) continue;
    // The moment is spent on the first that runs; the others are only looked at.
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    auto ended = rank.child.wait(all_ended ? std::max(left, std::chrono::milliseconds(0))
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
  if (!all_ended) {
    if (failed_first_ && Clock::now() > kill_at_) send(SIGKILL);
    return std::optional<GroupEnd>{};
  }
  const int rank = decisive_rank();
  return std::optional(GroupEnd{*ranks_[static_cast<size_t>(rank)].exit, rank});
}

}  // namespace zt::cli
