// SPDX-License-Identifier: Apache-2.0
// Keeps a training alive when its ranks die: begins the next generation, in which the older one's ranks are
// refused, and starts the dead ranks again in it; the others hear of it from the store and join in their
// process. The rule is cli/failure/restart_policy.hpp's; what a rank does is in worker/training.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "cli/failure/restart_policy.hpp"
#include "cli/ranks/worker_session.hpp"

namespace zt::cli {

class RankGroup;

class Recovery {
 public:
  /// A session without `restarts` is only brought to its end. It must outlive this.
  explicit Recovery(const WorkerSession& session);

  /// Looks at ranks that have ended since. Returns lines to show. Errors: those of beginning an attempt and
  /// of starting a process.
  Result<std::string> tend(RankGroup& workers);
  /// Whether ranks that have ended will be started yet: their host has time to come back.
  bool awaits_hosts() const { return !is_over_ && !awaited_.empty(); }
  /// Whether a request to stop is to be held back: ranks that are being started again get what is in memory,
  /// and save it once they train. No longer than a minute, or a sixth of that where their words may come
  /// late.
  bool holds_stop(const RankGroup& workers);
  /// Whether a rank was asked to stop by itself before the ranks had met, and the others were then too.
  bool has_stopped_all() const { return has_stopped_all_; }

 private:
  bool has_not_joined(size_t rank) const;
  bool are_all_back(const RankGroup& workers) const;
  bool is_left_behind(const RankGroup& workers, size_t rank) const;
  bool was_stopped_early(const RankGroup& workers) const;
  RankFailure describe(const RankGroup& workers, size_t rank) const;
  Result<std::string> start_left_behind(RankGroup& workers, const std::vector<size_t>& ranks);
  Status begin_next(RankGroup& workers, const std::vector<RankFailure>& failures,
                    std::chrono::seconds host_delay);
  Status start_awaited(RankGroup& workers);
  Status start(RankGroup& workers, size_t rank);
  Status tell_store(int64_t generation, const char* key, const std::string& text) const;
  Result<std::string> leave_out(const DeadlySamples& deadly) const;
  void give_up(RankGroup& workers);
  std::string name_of(int rank) const;
  const WorkerSession& session_;
  RestartPolicy policy_;
  int64_t generation_;
  /// Ranks of a host that was lost, which are started when it had time to come back.
  std::set<size_t> awaited_;
  clock::Deadline start_awaited_at_;
  std::vector<int64_t> started_in_;  ///< by rank: the attempt in which its process was started
  int64_t restarts_ = 0;
  bool is_stop_held_ = false;
  std::optional<clock::Deadline> hold_until_;
  bool is_over_ = false;
  bool has_stopped_all_ = false;
};

}  // namespace zt::cli
