// SPDX-License-Identifier: Apache-2.0
// Lets threads hold decoded pictures up to a number of bytes in all.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace zt::data {

class DecodeBudget {
 public:
  explicit DecodeBudget(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  /// A thread's part, given back at scope exit. The constructor waits until there is room; one part that is
  /// larger than the limit goes alone. Hold one at a time: a thread that waits with another in hand may wait
  /// for itself.
  class Share {
   public:
    Share(DecodeBudget& budget, uint64_t bytes);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

   private:
    DecodeBudget& budget_;
    const uint64_t bytes_;
  };

 private:
  const uint64_t limit_bytes_;
  std::mutex mutex_;
  std::condition_variable freed_;
  uint64_t used_bytes_ = 0;
};

}  // namespace zt::data
