// SPDX-License-Identifier: Apache-2.0
// The worker processes of one session: the only one, or the ranks of a training.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"
#include "cli/worker_session.hpp"

namespace zt::cli {

/// How a group ended: by the first rank that failed, unless it only lost another, or else by rank 0.
struct GroupEnd {
  process::Exit exit;
  int rank = 0;
};

class WorkerGroup {
 public:
  /// Errors: those of process::Child::spawn. None runs then.
  static Result<WorkerGroup> start(const WorkerSession& session);

  /// To every rank that runs.
  void send(int signal) const;
  /// Looks after all ranks for a moment. Set once every one has ended. After a failure the others are asked
  /// to end by it (their exchange with the lost rank fails) and killed if they don't in time.
  Result<std::optional<GroupEnd>> wait(std::chrono::milliseconds moment);
  /// What rank 0 wrote to a piped standard output.
  std::string read_out() { return ranks_.front().child.read_out(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Rank {
    process::Child child;
    std::optional<process::Exit> exit;
  };
  WorkerGroup() = default;
  void note_failure(int rank);
  /// Requires: all have ended.
  int decisive_rank() const;
  std::vector<Rank> ranks_;
  std::optional<int> failed_first_;
  Clock::time_point kill_at_;
};

}  // namespace zt::cli
