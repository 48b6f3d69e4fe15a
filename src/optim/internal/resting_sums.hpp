// SPDX-License-Identifier: Apache-2.0
// What a step leaves in memory is what the next one must find. A pass over blocks that are in the cache
// anyway adds up the bit patterns that it finds and those that it leaves. A flipped bit changes a sum by a
// power of two, so one is always seen, and several unless they cancel out.
#pragma once

#include <atomic>
#include <cstdint>

#include "optim/internal/adamw_kernels.hpp"

namespace zt::optim::internal {

/// Of a segment's part.
class RestingSums {
 public:
  /// A step begins: what the last one left is what this one should find.
  void begin_step();
  /// Some blocks are done. Threads: any.
  void add(const Tally& tally);
  /// The step is over. What changed since the one before: "weights", "optimizer state", "averages"; null if
  /// nothing did or nothing is known. `has_averages`: whether the step went over them.
  const char* end_step(bool has_averages);
  /// Somebody else writes: the averages, or all of it.
  void forget_averages() { knows_averages_ = false; }
  void forget() { knows_ = knows_averages_ = false; }

 private:
  struct Shared {
    std::atomic<uint32_t> values{0}, moments{0}, averages{0};
  };
  Shared found_, left_;
  BitSums expected_;
  bool knows_ = false, knows_averages_ = false;  ///< left_ is what the memory should hold
};

}  // namespace zt::optim::internal
