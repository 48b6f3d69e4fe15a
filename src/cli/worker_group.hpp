// SPDX-License-Identifier: Apache-2.0
// The worker processes of one session: the only one, or the ranks of a training.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"
#include "cli/rank_group.hpp"
#include "cli/worker_session.hpp"

namespace zt::cli {

class WorkerGroup : public RankGroup {
 public:
  /// Errors: those of process::Child::spawn. None runs then.
  static Result<WorkerGroup> start(const WorkerSession& session);

  void send(int signal) override;
  Result<std::optional<GroupEnd>> wait(std::chrono::milliseconds moment) override;
  /// The rank that failed first, as far as is known; unset while none has.
  std::optional<GroupEnd> first_failure() const {
    if (!failed_first_) return std::nullopt;
    return GroupEnd{*ranks_[static_cast<size_t>(*failed_first_)].exit, *failed_first_};
  }
  std::string read_out() override { return ranks_.front().child.read_out(); }

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
