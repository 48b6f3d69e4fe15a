// SPDX-License-Identifier: Apache-2.0
// Lets threads hold decoded pictures up to a number of bytes in all.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>

#include "base/error.hpp"

namespace zt::data {

class DecodeBudget {
 public:
  explicit DecodeBudget(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// A thread's part, given back when this is destroyed.
  class Share {
   public:
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&&) = delete;
    ~Share();

   private:
    friend class DecodeBudget;
    Share(DecodeBudget* budget, uint64_t bytes) : budget_(budget), bytes_(bytes) {}
    DecodeBudget* budget_;  ///< null once moved from
    uint64_t bytes_;
  };

  /// Waits until there is room; one part that is larger than the limit goes alone. Hold one at a time: a
  /// thread that waits with another in hand may wait for itself. Errors: Timeout.
  Result<Share> take(uint64_t bytes, std::chrono::milliseconds deadline = std::chrono::minutes(5));

 private:
  const uint64_t limit_bytes_;
  std::mutex mutex_;
  std::condition_variable freed_;
  uint64_t used_bytes_ = 0;
};

}  // namespace zt::data
