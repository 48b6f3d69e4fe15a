// SPDX-License-Identifier: Apache-2.0
// Threads with an end: a pool that runs a bounded number of jobs, and a parallel loop over indices.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace zt {

/// Runs `body(i)` for i in [0, count) on up to `num_threads` threads (the caller's is one of them) and
/// returns when all are done. The first exception is thrown again in the caller; the remaining indices are
/// then skipped.
void parallel_for(size_t count, size_t num_threads, const std::function<void(size_t)>& body);

/// A fixed number of threads that take jobs in the order given. The destructor runs what is queued, then
/// joins. A job must not throw.
class ThreadPool {
 public:
  explicit ThreadPool(size_t num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  void submit(std::function<void()> job);

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace zt
