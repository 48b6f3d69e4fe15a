// SPDX-License-Identifier: Apache-2.0
// The worker processes of one session: the only one, or the ranks of a training.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "cli/hang_guard.hpp"
#include "cli/rank_group.hpp"
#include "cli/recovery.hpp"
#include "cli/worker_session.hpp"

namespace zt::cli {

class WorkerGroup : public RankGroup {
 public:
  /// Each rank gets a file in memory for its snapshots, and of several ranks one for a neighbour's, which it
  /// finds again when it is restarted. The
  /// session must outlive the group. Errors: those of process::Child::spawn. None runs then.
  static Result<WorkerGroup> start(const WorkerSession& session);

  void send(int signal) override;
  void send(size_t rank, int signal) const { (void)ranks_[rank].child->send(signal); }
  Result<std::optional<GroupEnd>> wait(std::chrono::milliseconds moment) override;
  std::string take_news() override { return std::exchange(news_, {}); }
  std::string read_out() override { return ranks_.front().child->read_out(); }

  /// The rank that failed first, as far as is known; unset while none has.
  std::optional<GroupEnd> first_failure() const {
    if (!failed_first_) return std::nullopt;
    return GroupEnd{*exit_of(static_cast<size_t>(*failed_first_)), *failed_first_};
  }
  /// As of the last wait(): how a rank ended; nothing while it runs.
  const std::optional<process::Exit>& exit_of(size_t rank) const { return ranks_[rank].exit; }
  size_t size() const { return ranks_.size(); }
  pid_t pid_of(size_t rank) const { return ranks_[rank].child->pid(); }
  /// Ended, and neither complete nor stopped on request.
  bool has_failed(size_t rank) const;

  /// Starts a rank that has ended again, in another attempt. `number`: counts the launch's restarts.
  Status restart(size_t rank, int64_t generation, int64_t number);
  /// Nobody will be restarted: who still runs after a second is killed, as there is nothing left to lose.
  void end_soon();

 private:
  using Clock = std::chrono::steady_clock;
  struct Rank {
    std::optional<process::Child> child;
    std::optional<process::Exit> exit;
    std::optional<files::Descriptor> memory, peer_memory;
  };
  explicit WorkerGroup(const WorkerSession& session)
      : session_(session), hangs_(session), recovery_(session) {}
  Status look(std::chrono::milliseconds moment);
  bool has_ended() const;
  /// Requires: has_ended().
  GroupEnd end() const;
  Status spawn(size_t rank, const contract::WorkerCall& call);
  void note_failure(int rank);
  const WorkerSession& session_;
  HangGuard hangs_;
  Recovery recovery_;
  std::string news_;
  std::string program_;
  std::vector<Rank> ranks_;
  std::optional<int> failed_first_;
  std::optional<Clock::time_point> kill_at_;
};

}  // namespace zt::cli
