// SPDX-License-Identifier: Apache-2.0
// The worker processes of one session: the only one, or the ranks of a training.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.hpp"
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
  /// Each rank gets a file in memory for its snapshots, which it finds again when it is restarted. The
  /// session must outlive the group. Errors: those of process::Child::spawn. None runs then.
  static Result<WorkerGroup> start(const WorkerSession& session);

  /// To every rank that runs.
  void send(int signal) const;
  /// Looks after all ranks for a moment.
  Status wait(std::chrono::milliseconds moment);
  /// As of the last wait(): how a rank ended; nothing while it runs.
  const std::optional<process::Exit>& exit_of(size_t rank) const { return ranks_[rank].exit; }
  size_t size() const { return ranks_.size(); }
  bool has_ended() const;
  pid_t pid_of(size_t rank) const { return ranks_[rank].child->pid(); }
  /// Ended, and neither complete nor stopped on request.
  bool has_failed(size_t rank) const;

  /// Starts a rank that has ended again, in another attempt. `number`: counts the launch's restarts.
  Status restart(size_t rank, int64_t generation, int64_t number);
  /// Nobody will be restarted: who still runs after a second is killed, as there is nothing left to lose.
  void end_soon();
  /// Requires: has_ended().
  GroupEnd end() const;

  /// What rank 0 wrote to a piped standard output.
  std::string read_out() { return ranks_.front().child->read_out(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Rank {
    std::optional<process::Child> child;
    std::optional<process::Exit> exit;
    std::optional<files::Descriptor> memory;
  };
  explicit WorkerGroup(const WorkerSession& session) : session_(session) {}
  Status spawn(size_t rank, const contract::WorkerCall& call);
  void note_failure(int rank);
  const WorkerSession& session_;
  std::string program_;
  std::vector<Rank> ranks_;
  std::optional<int> failed_first_;
  std::optional<Clock::time_point> kill_at_;
};

}  // namespace zt::cli
