// SPDX-License-Identifier: Apache-2.0
// How long a rank may be silent before it counts as hanging: three times what the same action usually takes,
// and never less than some seconds. What has not been seen often enough has no usual time yet: the first step
// warms up caches. Nor has what is done outside of steps: loading and saving wait for disks, and for other
// ranks' parts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "contract/words/progress.hpp"

namespace zt::train {

struct SilenceLimits {
  double shortest_s = 0;  ///< of computing; 0 = nothing is judged
  double unknown_s = 0;   ///< of what has no usual time yet; 0 = that is not judged
};

/// Threads: one caller at a time.
class Silence {
 public:
  void set_limits(SilenceLimits limits) { limits_ = limits; }
  const SilenceLimits& limits() const { return limits_; }
  /// What `action` has just taken.
  void took(const contract::Progress& action, double seconds);
  /// How long `action` may take. 0 = not judged.
  double limit_s(const contract::Progress& action) const;

  /// Samples come from disks: to kill a process that waits for one brings nothing before this.
  static constexpr double kShortestOfData_s = 60;
  /// Of computing that has no usual time yet: the first step may warm up (a GPU loads its kernels), but waits
  /// for no disk and no other rank without saying so.
  static constexpr double kFirstComputing_s = 120;
  static constexpr size_t kEnough = 5;   ///< durations that make a usual time
  static constexpr size_t kWindow = 15;  ///< the newest ones that count

 private:
  struct Durations {
    std::array<float, kWindow> newest_s{};
    uint64_t count = 0;
    double median_s() const;
  };
  static uint64_t key_of(const contract::Progress& action);
  SilenceLimits limits_;
  std::unordered_map<uint64_t, Durations> by_action_;
};

}  // namespace zt::train
