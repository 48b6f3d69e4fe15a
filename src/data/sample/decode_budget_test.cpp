// SPDX-License-Identifier: Apache-2.0
#include "data/sample/decode_budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace zt::data {
namespace {

// Eight threads take parts of this size again and again; the most that was held at once.
int64_t most_held(uint64_t limit, int64_t part) {
  DecodeBudget budget(limit);
  std::atomic<int64_t> held = 0, most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto share = budget.take(static_cast<uint64_t>(part));
        const int64_t now = held += part;
        int64_t seen = most;
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::yield();
        held -= part;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return most;
}

TEST(DecodeBudget, ThreadsNeverHoldMoreThanTheLimit) { EXPECT_LE(most_held(100, 30), 90); }

TEST(DecodeBudget, WaitsNoLongerThanTheDeadline) {
  DecodeBudget budget(100);
  const auto held = budget.take(80);
  ASSERT_TRUE(held);

  const auto late = budget.take(30, std::chrono::milliseconds(1));

  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::Timeout);
}

TEST(DecodeBudget, APartLargerThanTheLimitGoesAlone) { EXPECT_EQ(most_held(10, 30), 30); }

}  // namespace
}  // namespace zt::data
