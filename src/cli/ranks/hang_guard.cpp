// SPDX-License-Identifier: Apache-2.0
// See hang_guard.hpp.
#include "cli/ranks/hang_guard.hpp"

#include <fmt/format.h>

#include <csignal>
#include <utility>
#include <vector>

#include "cli/failure/first_missing.hpp"
#include "cli/failure/last_error.hpp"
#include "cli/ranks/fault_events.hpp"
#include "cli/ranks/worker_group.hpp"
#include "contract/run_folder.hpp"
#include "contract/words/flight.hpp"

namespace zt::cli {
namespace {

constexpr double kPeriod_s = 0.25;
/// For the ranks to write their flight records: they look for the request every 100 ms.
constexpr double kEvidence_s = 0.4;

/// What is known of a process that has not said a word yet.
contract::Progress wordless(const WorkerSession& session, pid_t pid) {
  contract::Progress words;
  words.generation = session.call.generation;
  words.pid = pid;
  return words;
}

}  // namespace

std::string flight_evidence(const WorkerSession& session, int64_t generation) {
  std::vector<std::optional<contract::Flight>> flights;
  for (int64_t rank = 0; rank < session.call.place.ranks; ++rank) {
    auto flight = contract::read_flight(contract::flight_beside(session.call.progress, rank));
    const bool counts = flight && flight->generation == generation;
    flights.push_back(counts ? std::optional(std::move(*flight)) : std::nullopt);
  }
  std::optional<Missing> missing = first_missing(flights);
  if (!missing) return {};
  // The ranks of other hosts were not asked for a record.
  const int64_t first_here = session.call.place.rank, num_here = std::ssize(session.others) + 1;
  std::erase_if(missing->ranks, [&](int64_t rank) {
    return !flights[static_cast<size_t>(rank)] && (rank < first_here || rank >= first_here + num_here);
  });
  if (missing->ranks.empty()) return {};
  return fmt::format("{} (flight records in {})", text_of(*missing),
                     session.call.progress.parent_path().string());
}

// Of the process that runs. Until it knows its job's limits it says none.
std::optional<contract::Progress> HangGuard::words_of(const WorkerGroup& workers, size_t rank) const {
  const pid_t pid = workers.pid_of(rank);
  if (workers.end_of(rank) || pid < 0) return std::nullopt;
  auto words = contract::read_progress(session_.call_of(rank).progress);
  if (!words || words->pid != pid) words = wordless(session_, pid);
  if (words->phase == contract::Phase::Starting && words->stop_limit_s <= 0)
    words->stop_limit_s = session_.hang_s;
  return words;
}

void HangGuard::look(const WorkerGroup& workers, double now_s) {
  std::vector<std::optional<RankLook>> looks(workers.size());
  for (size_t rank = 0; rank < workers.size(); ++rank) {
    auto words = words_of(workers, rank);
    if (!words) continue;
    if (const auto pulse = process::read_pulse(workers.pid_of(rank)))
      looks[rank] = RankLook{std::move(*words), *pulse};
  }
  for (const Hang& hang : rule_.look(now_s, looks)) found_.push_back({hang, looks[hang.rank]->words});
  if (found_.empty()) return;
  kill_at_s_ = now_s + kEvidence_s;
  // Only to those that have words: before, a process has no handler for the signal.
  for (size_t rank = 0; rank < looks.size(); ++rank)
    if (looks[rank] && looks[rank]->words.heartbeat_s > 0) workers.send(rank, SIGUSR2);
}

std::string HangGuard::tend(WorkerGroup& workers) {
  const double now_s = watch_.seconds();
  if (found_.empty()) {
    if (now_s < next_look_s_) return {};
    next_look_s_ = now_s + kPeriod_s;
    look(workers, now_s);
    return {};
  }
  if (now_s < kill_at_s_) return {};
  std::string lines;  // of all in one look: their ends are one failure, not one after the other
  for (const Found& found : std::exchange(found_, {})) lines += kill(found, workers);
  return lines;
}

std::string HangGuard::kill(const Found& found, WorkerGroup& workers) const {
  auto words = words_of(workers, found.hang.rank);
  if (!words && !workers.end_of(found.hang.rank)) words = wordless(session_, workers.pid_of(found.hang.rank));
  if (!words || words->pid != found.words.pid || words->heartbeat_s != found.words.heartbeat_s) return {};
  const std::string what = describe(found);
  append_error(session_.log_of(found.hang.rank), what);
  write_event(found, what);
  // A wait for others is no doing of the samples that it had in hand.
  found.hang.kind == Hang::Kind::Waiting ? workers.send(found.hang.rank, SIGKILL)
                                         : workers.kill_hung(found.hang.rank);
  return "zoetrope: " + what + "\n";
}

std::string HangGuard::describe(const Found& found) const {
  const auto rank = session_.call_of(found.hang.rank).place.rank;
  const contract::Progress& words = found.words;
  std::string text =
      fmt::format("rank {} on {} hangs ({} for {:.1f} s) in {}, after step {}", rank, host_of(session_.call),
                  name(found.hang.kind), found.hang.silent_s, contract::doing(words), words.step);
  if (const std::string evidence = flight_evidence(session_, words.generation); !evidence.empty())
    text += "; " + evidence;
  return text + "; it is killed now, and started again if restarts are left (docs/detection.md)";
}

void HangGuard::write_event(const Found& found, const std::string& what) const {
  const auto run = contract::RunFolder::open(session_.call.run_dir);
  if (!run) return;
  const auto rank = session_.call_of(found.hang.rank).place.rank;
  const contract::FaultFound fault{.step = found.words.step,
                                   .rank = rank,
                                   .host = host_of(session_.call),
                                   .cause = "hang",
                                   .what = what,
                                   .action = "the rank was killed"};
  // A rank hangs once in a generation.
  write_faults(*run, found.words.generation, fmt::format("hang-rank{}", rank), {&fault, 1});
}

}  // namespace zt::cli
