// SPDX-License-Identifier: Apache-2.0
// Which of a host's ranks hangs, from their progress words and what the kernel says of their processes. A
// rank that waits for others in an exchange is not to blame for its silence, and one that is at work, or
// would be if it got a core, is slow and does not hang. Pure: who reads pages and processes, and what
// follows, is cli/ranks/hang_guard.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/process/pulse.hpp"
#include "contract/words/progress.hpp"

namespace zt::cli {

struct RankLook {
  contract::Progress words;
  process::Pulse pulse;
};

struct Hang {
  enum class Kind {
    Stopped,   ///< SIGSTOP, a debugger
    Asleep,    ///< it waits for something that does not come, and not for other ranks
    Spinning,  ///< it computes without end
    Waiting    ///< for another rank, as all ranks do: something that was sent got lost
  };
  size_t rank = 0;
  Kind kind = Kind::Stopped;
  double silent_s = 0;  ///< without a change of its words; stopped, without a break
};
std::string_view name(Hang::Kind kind);

class HangRule {
 public:
  /// `sees_all`: no rank is on another host.
  explicit HangRule(bool sees_all = false) : sees_all_(sees_all) {}

  /// Looks at every rank at time `now_s`, of any steady clock; none: it has ended, or is not there yet. The
  /// time since the look before counts, for a rank whose words have not changed, as
  /// - stopped, if its process was at both looks;
  /// - computing, as far as it has used a core;
  /// - asleep for the rest, unless a thread of it is active: one that waits for a core is not asleep.
  /// A rank hangs that is stopped for words.stop_limit_s without a break; or, unless it waits for others,
  /// that is asleep for words.limit_s, or computes for kSpinTimes as long; or all ranks do, that have waited
  /// for others, asleep, for their words.limit_s: the last to begin is named then. Ranks that were stopped
  /// together hang together. No clock of a rank matters, and time in which nobody looked counts as
  /// kLongestLook_s at most: the launcher itself was stopped.
  std::vector<Hang> look(double now_s, std::span<const std::optional<RankLook>> ranks);

  static constexpr double kLongestLook_s = 1;
  /// Ten times the words' own limit, which is three times the usual duration (train/journal/silence.hpp), so
  /// thirty times: a rank that shares its cores with others, or has lost some of them, gets there only if it
  /// needs thirty times the usual work.
  static constexpr double kSpinTimes = 10;

 private:
  struct Seen {
    int64_t pid = 0;
    double heartbeat_s = 0;
    double cpu_s = 0;
    bool is_stopped = false;
    double silent_s = 0, stopped_s = 0, asleep_s = 0, computing_s = 0;
  };
  static void count(Seen& seen, const RankLook& found, double passed_s);
  static std::optional<Hang::Kind> judge(const Seen& seen, const contract::Progress& words);
  std::optional<Hang> judge_all(std::span<const std::optional<RankLook>> ranks) const;
  bool sees_all_;
  std::vector<Seen> seen_;
  std::optional<double> last_look_s_;
};

}  // namespace zt::cli
