// SPDX-License-Identifier: Apache-2.0
// See worker_group.hpp.
#include "cli/ranks/worker_group.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/clock.hpp"
#include "base/process/resources.hpp"
#include "exchange/snapshot_file.hpp"

namespace zt::cli {
namespace {

constexpr const char* kWaitPolicy = "OMP_WAIT_POLICY";
constexpr const char* kSpinCount = "GOMP_SPINCOUNT";

Status make_memory(std::optional<files::Descriptor>& place) {
  ZT_TRY_ASSIGN(auto made, exchange::SnapshotFile::make());
  place.emplace(std::move(made));
  return {};
}

}  // namespace

Result<WorkerGroup> WorkerGroup::make(const WorkerSession& session) {
  WorkerGroup group(session);
  ZT_TRY_ASSIGN(const auto program, find_worker());
  group.program_ = program.string();
  for (Rank& rank : group.ranks_) {
    if (session.keeps_memory) ZT_TRY(make_memory(rank.memory));
    if (session.keeps_memory && session.call.place.ranks > 1) ZT_TRY(make_memory(rank.peer_memory));
  }
  return group;
}

Status WorkerGroup::spawn(size_t rank, int64_t generation, int64_t number) {
  contract::WorkerCall call = session_.call_of(rank);
  call.generation = generation;
  call.restart = number;
  process::SpawnOptions options;
  Rank& started = ranks_[rank];
  const auto lend = [&](const std::optional<files::Descriptor>& file, int64_t& fd) {
    if (!file) return;
    fd = file->get();
    options.inherited.push_back(file->get());
  };
  lend(started.memory, call.memory_fd);
  lend(started.peer_memory, call.peer_fd);
  options.argv = {program_};
  for (std::string& argument : contract::to_args(call)) options.argv.push_back(std::move(argument));
  // Threads of one operation wait for each other thousands of times a step. On a machine with other work one
  // that spins takes the core from the one it waits for; on a free one, one that sleeps is woken too late.
  // Some 30 us of spinning are most of the gain where cores are free, and bounded harm should they not stay
  // so (docs/numerics.md).
  if (!std::getenv(kWaitPolicy) && !std::getenv(kSpinCount)) {
    options.env.emplace_back(kWaitPolicy, "passive");
    if (resources::cores_are_free()) options.env.emplace_back(kSpinCount, "2000");
  }
  if (!session_.rendezvous_token.empty())
    options.env.emplace_back(contract::kRendezvousToken, session_.rendezvous_token);
  // Without its launcher one rank alone saves and ends. Several can save nothing without its store (or,
  // behind an agent of --hosts, are lost to the others), and one that is stopped would hear of nothing
  // milder. What is made in one go (a video, an export) nobody waits for any more.
  const bool saves_first = call.verb == contract::WorkerVerb::Train && call.place.ranks == 1;
  options.parent_death_signal = saves_first ? SIGTERM : SIGKILL;
  options.err = process::Stream::to_file(session_.log_of(rank));
  if (rank == 0 && session_.keep_results) options.out = process::Stream::pipe();
  ZT_TRY_ASSIGN(auto child, process::Child::spawn(options));
  started.child.emplace(std::move(child));
  started.has_hung = false;
  return {};
}

void WorkerGroup::kill_hung(size_t rank) {
  ranks_[rank].has_hung = true;
  send(rank, SIGKILL);
}

void WorkerGroup::send(int signal) {
  for (const Rank& rank : ranks_)
    if (rank.child) (void)rank.child->send(signal);
}

Status WorkerGroup::look(std::chrono::milliseconds moment) {
  const clock::Deadline until = clock::in(moment);
  bool all_ended = true;
  for (size_t i = 0; i < size(); ++i) {
    if (end_of(i) || !ranks_[i].child) continue;
    // The moment is spent on the first that runs; the others are only looked at.
    auto ended = ranks_[i].child->wait(all_ended ? clock::left(until) : std::chrono::milliseconds(0));
    if (ended) {
      note_end(i, {.exit = *ended, .has_hung = ranks_[i].has_hung});
    } else if (ended.error().code != ErrorCode::Timeout) {
      return fail(std::move(ended.error()));
    } else {
      all_ended = false;
    }
  }
  if (is_overdue()) send(SIGKILL);
  news_ += hangs_.tend(*this);
  return {};
}

}  // namespace zt::cli
