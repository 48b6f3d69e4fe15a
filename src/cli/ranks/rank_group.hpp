// SPDX-License-Identifier: Apache-2.0
// The ranks of one session, wherever they run: on this host (worker_group.hpp) or on several
// (host_group.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/process/process.hpp"

namespace zt::cli {

/// How a rank ended.
struct RankEnd {
  process::Exit exit;
  std::string message = {};   ///< what its log can't tell: how its host was lost
  bool is_host_lost = false;  ///< and the host had served before: it may come back
  bool has_hung = false;      ///< and was killed for it
};

/// How a group ended: by the first rank that failed, unless it only lost another, or else by rank 0.
struct GroupEnd {
  process::Exit exit;
  int rank = 0;
  std::string message = {};  ///< as RankEnd's
};

/// Neither done nor stopped on request.
bool is_failure(const process::Exit& exit);
/// A failure that only follows from another rank's.
bool is_consequence(const process::Exit& exit);

class RankGroup {
 public:
  explicit RankGroup(size_t size) : ends_(size) {}
  RankGroup(RankGroup&&) = default;
  virtual ~RankGroup() = default;

  size_t size() const { return ends_.size(); }
  /// As of the last look(): how a rank ended; nothing while it runs.
  const std::optional<RankEnd>& end_of(size_t rank) const { return ends_[rank]; }
  bool has_failed(size_t rank) const { return ends_[rank] && is_failure(ends_[rank]->exit); }
  bool have_all_ended() const;
  /// Requires: all have. `saved`: all is saved once the first rank has not failed, whatever became of others.
  GroupEnd end(bool saved) const;

  /// To every rank that runs.
  virtual void send(int signal) = 0;
  /// Looks after all ranks for a moment: after it the ends are known of those that have ended.
  virtual Status look(std::chrono::milliseconds moment) = 0;
  /// Starts a rank, also one that has ended, in that attempt. `number`: counts the launch's restarts.
  Status start(size_t rank, int64_t generation, int64_t number);
  /// Nobody will be started again, and nothing is left to lose: who still runs after `limit` is killed.
  void end_within(std::chrono::milliseconds limit);
  /// Lines for people about what happened since the last call.
  virtual std::string take_news() { return {}; }
  /// What rank 0 wrote to a piped standard output.
  virtual std::string read_out() { return {}; }

 protected:
  virtual Status spawn(size_t rank, int64_t generation, int64_t number) = 0;
  void note_end(size_t rank, RankEnd end);
  /// Whether who still runs is to be killed.
  bool is_overdue() const;

 private:
  std::vector<std::optional<RankEnd>> ends_;
  std::optional<size_t> failed_first_;
  std::optional<clock::Deadline> kill_at_;
};

}  // namespace zt::cli
