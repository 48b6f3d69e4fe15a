// SPDX-License-Identifier: Apache-2.0
// One run of zoetrope-worker, or of several as the ranks of one training, seen from the terminal: starts
// them, here or on other hosts, draws the first one's progress words, shows its log above them, passes
// signals on, and says how it ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/ranks/host_call.hpp"
#include "contract/run_folder.hpp"
#include "contract/worker_call.hpp"

namespace zt::cli {

/// A rank beyond the first.
struct OtherRank {
  contract::WorkerCall call;
  std::filesystem::path log;
};

/// That ranks of a training are started again when they die, as long as cli/failure/restart_policy.hpp
/// allows.
struct Restarts {
  contract::RunFolder run;
  std::string store_host = {};  ///< where this program reaches the ranks' store; with several ranks
  uint16_t store_port = 0;
  int64_t max_restarts = 0;
};

struct WorkerSession {
  contract::WorkerCall call;  ///< call.progress is where the progress words will be
  std::filesystem::path log;  ///< takes the worker's standard error, which is also shown
  /// Keep what the worker writes to standard output (a job's result, as JSON) instead of passing it on.
  bool keep_results = false;
  std::vector<OtherRank> others = {};
  std::string rendezvous_token = {};  ///< what the ranks show to the store; empty without others
  std::vector<HostPart> hosts = {};   ///< where the ranks run; empty: on this host
  std::optional<Restarts> restarts = {};
  bool keeps_memory = false;  ///< for snapshots, of ranks that are started again
  /// A rank that has said no limit yet may be stopped for so long; 0 = as long as it likes.
  double hang_s = 0;

  const contract::WorkerCall& call_of(size_t rank) const { return rank == 0 ? call : others[rank - 1].call; }
  contract::WorkerCall& call_of(size_t rank) { return rank == 0 ? call : others[rank - 1].call; }
  const std::filesystem::path& log_of(size_t rank) const { return rank == 0 ? log : others[rank - 1].log; }
};

/// Where the worker runs, for messages: as the user calls the host, where there are several.
std::string host_of(const contract::WorkerCall& call);

struct WorkerEnd {
  int code = 0;          ///< the worker's exit code, 130 after a second Ctrl-C
  bool has_said = true;  ///< false: it ended without saying why (a signal, a bug), and its log may be wanted
  std::string results = {};  ///< standard output, if kept
};

/// $ZT_WORKER, else the program beside this one, else in ../libexec/zoetrope. Errors: NotFound, naming what
/// $ZT_WORKER named or saying how to build it.
Result<std::filesystem::path> find_worker();

/// The worker runs until it ends by itself or by signals passed on: a request to stop has no deadline (it
/// saves first), stopping now has five seconds before it is killed. When one of several ranks fails, and is
/// not restarted, the others have a second to end as well, and the one that failed first is named; when the
/// first is done they have ten. A run folder that is lost meanwhile is named too. Errors: NotFound or
/// Permission if one can't be started. How it failed stands on stderr already.
Result<WorkerEnd> supervise(const WorkerSession& session);

}  // namespace zt::cli
