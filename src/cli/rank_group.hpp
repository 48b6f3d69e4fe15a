// SPDX-License-Identifier: Apache-2.0
// The ranks of one session, wherever they run: on this host (worker_group.hpp) or on several
// (host_group.hpp).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/process.hpp"

namespace zt::cli {

/// How a group ended: by the first rank that failed, unless it only lost another, or else by rank 0.
struct GroupEnd {
  process::Exit exit;
  int rank = 0;
  std::string words = {};  ///< what its log can't tell: how its host was lost
};

/// Neither done nor stopped on request.
bool is_failure(const process::Exit& exit);
/// A failure that only follows from another rank's.
bool is_consequence(const process::Exit& exit);

class RankGroup {
 public:
  virtual ~RankGroup() = default;
  /// To every rank that runs.
  virtual void send(int signal) = 0;
  /// Looks after all ranks for a moment. Set once every one has ended. After a failure, unless the rank is
  /// restarted, the others are asked to end by it (their exchange with the lost rank fails) and killed if
  /// they don't in time.
  virtual Result<std::optional<GroupEnd>> wait(std::chrono::milliseconds moment) = 0;
  /// Lines for people about what happened since the last call.
  virtual std::string take_news() { return {}; }
  /// What rank 0 wrote to a piped standard output.
  virtual std::string read_out() { return {}; }
};

}  // namespace zt::cli
