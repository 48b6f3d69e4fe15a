// SPDX-License-Identifier: Apache-2.0
// Whether ranks that died are started again, and without which clips. Pure: failures and the time in, the
// decision and its reason out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/process/process.hpp"
#include "contract/words/progress.hpp"

namespace zt::cli {

struct RestartRules {
  int64_t max_restarts = 3;         ///< in any time of length `window`; 0 = never
  std::chrono::minutes window{60};  ///< a run of weeks may well see more than `max_restarts` in all
};

/// How one rank ended.
struct RankFailure {
  int rank = 0;
  process::Exit exit;
  std::string message;                            ///< its last error; empty for a signal
  std::string position;                           ///< where it was: "after step 42", "while loading"
  bool is_host_lost = false;                      ///< with its host, which may be back
  bool has_hung = false;                          ///< and was killed for it
  std::set<contract::SampleInHand> samples = {};  ///< that it had in hand; in a training alone
  int64_t step = -1;                              ///< that it had done; -1 while loading
};

/// Samples that a rank had in hand both times that it crashed or hung.
struct DeadlySamples {
  RankFailure second;  ///< of the two
  std::set<contract::SampleInHand> samples;
};

struct RestartDecision {
  bool restarts = false;
  std::string reason;                      ///< why not, for people; empty where the failure says it itself
  std::chrono::seconds host_delay{0};      ///< before a host that was lost is tried: it may be starting up
  std::vector<DeadlySamples> deadly = {};  ///< found now: their clips are left out from the next start on
};

/// Whether a process that ended so may do better the next time: it was killed or crashed, or its error's row
/// of base/error_policy.hpp says that the worker is restarted.
bool is_worth_a_restart(const process::Exit& exit);

/// Whether what the rank was doing may have ended it: a crash by its own doing, a bug's exception, a hang.
/// A plain kill is somebody else's: an operator's, the kernel's for want of memory.
bool is_own_doing(const RankFailure& failure);

class RestartPolicy {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit RestartPolicy(RestartRules rules) : rules_(rules) {}

  /// Decides about ranks that ended together, and counts them. Requires at least one.
  RestartDecision decide(const std::vector<RankFailure>& failures, Time now);
  /// Restarts granted in the window that ends at the last decision.
  int64_t used() const { return static_cast<int64_t>(granted_.size()); }

 private:
  /// Rank, how it ended (numbers in words don't count), where.
  using Signature = std::tuple<int, int, std::string, std::string>;
  struct Seen {
    Time time;
    int64_t furthest;  ///< step that any end had come to by then
  };
  struct Crash {
    int rank;
    Time time;
    std::set<contract::SampleInHand> samples;
  };
  std::vector<DeadlySamples> find_deadly(const std::vector<RankFailure>& failures, Time now);
  RestartRules rules_;
  std::vector<Time> granted_;
  std::map<Signature, Seen> seen_;                ///< in the window: the last
  int64_t furthest_ = -1;                         ///< step that any end came to
  std::vector<std::pair<int, Time>> hosts_lost_;  ///< in the window: a rank of the host, when
  std::vector<Crash> crashes_;                    ///< in the window: own doing, with samples in hand
  std::set<contract::SampleInHand> left_out_;     ///< found deadly before
};

}  // namespace zt::cli
