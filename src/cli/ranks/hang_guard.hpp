// SPDX-License-Identifier: Apache-2.0
// Watches the ranks of a host for one that hangs (cli/failure/hang_rule.hpp), asks all for their flight
// records, and kills the one: from there it is a rank that died.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/failure/hang_rule.hpp"
#include "cli/ranks/worker_session.hpp"

namespace zt::cli {

class WorkerGroup;

/// What all ranks' flight records of this generation say together, in one line; empty if nothing. They lie in
/// the folder of the launch's first attempt.
std::string flight_evidence(const WorkerSession& session, int64_t generation);

class HangGuard {
 public:
  /// The session must outlive it. Ranks that say no limits in their words are not judged.
  explicit HangGuard(const WorkerSession& session)
      : session_(session), rule_(/*sees_all=*/std::ssize(session.others) + 1 == session.call.place.ranks) {}

  /// Call it several times a second. A rank that is found to hang is killed a moment later, when the others
  /// had time to write their records, unless it has said something meanwhile. Then the line to show, which
  /// also ends the rank's log, and an event say who hung in what.
  std::string tend(WorkerGroup& workers);

 private:
  struct Found {
    Hang hang;
    contract::Progress words;
  };
  void look(const WorkerGroup& workers, double now_s);
  std::optional<contract::Progress> words_of(const WorkerGroup& workers, size_t rank) const;
  /// The line that says so; nothing if it has said something meanwhile.
  std::string kill(const Found& found, WorkerGroup& workers) const;
  std::string describe(const Found& found) const;
  void write_event(const Found& found, const std::string& what) const;
  const WorkerSession& session_;
  clock::Stopwatch watch_;
  HangRule rule_;
  double next_look_s_ = 0;
  std::vector<Found> found_;  ///< to be killed
  double kill_at_s_ = 0;
};

}  // namespace zt::cli
