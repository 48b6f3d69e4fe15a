// SPDX-License-Identifier: Apache-2.0
// The worker processes of one session on this host: the only one, or the ranks of a training, or those of
// them that this host has.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/files/descriptor.hpp"
#include "base/process/process.hpp"
#include "cli/ranks/hang_guard.hpp"
#include "cli/ranks/rank_group.hpp"
#include "cli/ranks/worker_session.hpp"

namespace zt::cli {

/// Ranks are counted as in the session: 0 is session.call's.
class WorkerGroup : public RankGroup {
 public:
  /// With session.keeps_memory each rank gets a file in memory for its snapshots, and of several ranks one
  /// for a neighbour's, which it finds again whenever it is started. None is started yet. The session must
  /// outlive the group. Errors: NotFound without the worker's program; Exhausted.
  static Result<WorkerGroup> make(const WorkerSession& session);

  void send(int signal) override;
  void send(size_t rank, int signal) const { (void)ranks_[rank].child->send(signal); }
  /// One that was found to hang.
  void kill_hung(size_t rank);
  Status look(std::chrono::milliseconds moment) override;
  std::string take_news() override { return std::exchange(news_, {}); }
  std::string read_out() override { return ranks_.front().child->read_out(); }
  /// -1 before its first start.
  pid_t pid_of(size_t rank) const { return ranks_[rank].child ? ranks_[rank].child->pid() : -1; }

 private:
  struct Rank {
    std::optional<process::Child> child;
    std::optional<files::Descriptor> memory, peer_memory;
    bool has_hung = false;
  };
  explicit WorkerGroup(const WorkerSession& session)
      : RankGroup(1 + session.others.size()), session_(session), hangs_(session), ranks_(size()) {}
  Status spawn(size_t rank, int64_t generation, int64_t number) override;
  const WorkerSession& session_;
  HangGuard hangs_;
  std::string news_;
  std::string program_;
  std::vector<Rank> ranks_;
};

}  // namespace zt::cli
