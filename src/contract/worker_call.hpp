// SPDX-License-Identifier: Apache-2.0
// How `zoetrope` (or torchrun, srun) starts `zoetrope-worker`: its verb and options. Everything else the
// worker needs is in the run folder or in the job file. A train that is told neither its attempt nor its
// place looks in the environment for who it is (contract/rank_environment.hpp).
//
//   zoetrope-worker train --run-dir DIR [--generation N] [--progress FILE]
//                         [--rank R --ranks N --rendezvous HOST:PORT [--host NAME]]     with the token in
//                         ZT_RENDEZVOUS_TOKEN
//                         [--memory-fd FD [--peer-fd FD]] [--restart N]
//   zoetrope-worker import --run-dir DIR [--step N] [--generation N] [--progress FILE]
//   zoetrope-worker generate|cache|eval|export --job FILE [--progress FILE]
//   zoetrope-worker plan --job FILE [--plan-ranks N] [--plan-device NAME]
//
// Standard error is the worker's log; standard output carries results only. Exit codes:
// contract/exit_codes.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract {

enum class WorkerVerb { Train, Import, Generate, Cache, Eval, Export, Plan };
std::string_view name(WorkerVerb verb);
/// Whether the call names a run folder, where the others name a job file.
inline bool has_run(WorkerVerb verb) { return verb == WorkerVerb::Train || verb == WorkerVerb::Import; }

/// Where this worker stands among those that train one run together.
struct RankPlace {
  int64_t rank = 0;
  int64_t ranks = 1;
  std::string rendezvous;  ///< host:port of the store that the launcher keeps; empty with one rank
  /// What the launcher calls the host that it started this rank on; ranks of differently named hosts share no
  /// memory. Empty: all are on one host.
  std::string host = {};
};
/// The environment variable of the word that the store asks for: arguments can be seen by every user of a
/// host.
inline constexpr const char* kRendezvousToken = "ZT_RENDEZVOUS_TOKEN";

/// What `plan` plans for.
struct PlanTarget {
  int64_t ranks = 1;
  std::string device = "cpu";  ///< see train/plan/machine.hpp
};

/// Set in the store when the launcher will not start a lost rank again: the others end then. Otherwise it
/// begins the next generation there.
inline constexpr const char* kNoRestart = "launcher/no-restart";
/// The ranks that a later generation's launcher starts anew, as " 2 3 ". A process of such a rank that lives
/// on, cut off from the launcher with its host, has been replaced.
inline constexpr const char* kStartedRanks = "launcher/started";

struct WorkerCall {
  WorkerVerb verb = WorkerVerb::Train;
  std::filesystem::path run_dir;  ///< train, import: the run folder
  int64_t generation = 0;     ///< of a run: the attempt the launcher began; 0 = the worker begins one itself
  int64_t step = 0;           ///< import: what the checkpoint counts as
  std::filesystem::path job;  ///< the others: YAML of the job, as `zoetrope` resolved it
  std::filesystem::path progress;  ///< where to publish; empty: the attempt's own, or nowhere without a run
  RankPlace place = {};            ///< train
  bool has_place = false;          ///< whether the call says so
  PlanTarget plan = {};            ///< plan
  /// train: an inherited exchange::SnapshotFile, from a launcher that starts dead ranks again; -1 = none.
  int64_t memory_fd = -1;
  int64_t peer_fd = -1;  ///< train: likewise, for the snapshots of the neighbour that this rank holds
  int64_t restart = 0;   ///< train: how often the launcher has started ranks again
};

/// The arguments behind the program's name.
std::vector<std::string> to_args(const WorkerCall& call);
/// Errors: InvalidArgument naming what is unknown or missing.
Result<WorkerCall> parse_worker_call(std::span<const char* const> args);

}  // namespace zt::contract
