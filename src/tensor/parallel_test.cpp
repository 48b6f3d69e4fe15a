// SPDX-License-Identifier: Apache-2.0
#include "tensor/parallel.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace zt::tensor {
namespace {

/// Threads that a loop over four items ran on.
size_t threads_of_a_loop() {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  parallel_for(0, 4, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  return threads.size();
}

TEST(Parallel, CoversTheRangeOnceOnSeveralThreads) {
  const ThreadCount two(2);
  std::vector<int> visits(1000);
  parallel_for(0, 1000, 1, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) ++visits[i];
  });
  EXPECT_EQ(visits, std::vector<int>(1000, 1));
  EXPECT_EQ(threads_of_a_loop(), 2);
}

TEST(Parallel, ShortLoopsAndLoopsInsideStayOnTheirThread) {
  const ThreadCount two(2);
  std::set<std::thread::id> threads;
  parallel_for(0, 4, 4, [&](int64_t, int64_t) { threads.insert(std::this_thread::get_id()); });
  EXPECT_EQ(threads, std::set{std::this_thread::get_id()});
  parallel_for(0, 2, 1, [&](int64_t, int64_t) { EXPECT_EQ(threads_of_a_loop(), 1); });
  parallel_for(3, 3, 1, [&](int64_t, int64_t) { ADD_FAILURE() << "an empty range has a body"; });
}

TEST(Parallel, AnExceptionReachesTheCaller) {
  const ThreadCount two(2);
  EXPECT_THROW(parallel_for(0, 2, 1, [](int64_t, int64_t) { throw std::runtime_error("body"); }),
               std::runtime_error);
}

TEST(Parallel, AThreadKeepsItsNumberWhateverOthersAskFor) {
  std::thread([] {
    set_num_threads(2);
    std::thread([] { set_num_threads(1); }).join();  // a loader's thread
    at::ones({1 << 20}).add_(1);                     // the first operation here
    EXPECT_EQ(at::get_num_threads(), 2);
    EXPECT_EQ(threads_of_a_loop(), 2);
    EXPECT_EQ(at::get_num_threads(), 2);
  }).join();
}

}  // namespace
}  // namespace zt::tensor
