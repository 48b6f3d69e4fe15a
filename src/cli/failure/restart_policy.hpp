// SPDX-License-Identifier: Apache-2.0
// Whether ranks that died are started again. Pure: failures and the time in, the decision and its reason out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/process/process.hpp"

namespace zt::cli {

struct RestartRules {
  int64_t max_restarts = 3;         ///< in any time of length `window`; 0 = never
  std::chrono::minutes window{60};  ///< a run of weeks may well see more than `max_restarts` in all
};

/// How one rank ended.
struct RankFailure {
  int rank = 0;
  process::Exit exit;
  std::string words;          ///< its last error; empty for a signal
  std::string position;       ///< where it was: "after step 42", "while loading"
  bool is_host_lost = false;  ///< with its host, which may be back
};

struct RestartDecision {
  bool restarts = false;
  std::string reason;                  ///< why not, for people; empty where the failure says it itself
  std::chrono::seconds host_delay{0};  ///< before a host that was lost is tried: it may be starting up
};

/// Whether a process that ended so may do better the next time: it was killed or crashed, or its error's row
/// of base/error_policy.hpp says that the worker is restarted.
bool is_worth_a_restart(const process::Exit& exit);

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
  RestartRules rules_;
  std::vector<Time> granted_;
  std::map<Signature, Time> seen_;                ///< in the window: when
  std::vector<std::pair<int, Time>> hosts_lost_;  ///< in the window: a rank of the host, when
};

}  // namespace zt::cli
