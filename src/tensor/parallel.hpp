// SPDX-License-Identifier: Apache-2.0
// Loops on libtorch's threads. at::parallel_for is a template that is silently serial in a file compiled
// without OpenMP; this one is compiled with it once, so no caller has to be.
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace zt::tensor {

/// at::set_num_threads for this thread, now and at its first operation.
void set_num_threads(int64_t wanted);

/// Cuts [begin, end) into as many runs as this thread has libtorch threads (at::get_num_threads()), but none
/// shorter than `grain`, and calls body(first, last) for each on a thread of its own. Inside such a loop it
/// is one call on the same thread. Thread-local states, gradient mode among them, are not carried over. The
/// first exception is thrown again here.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t first, int64_t last)> body);

/// How many threads this thread's operations use, for the length of a scope. Their sums are rounded by it, so
/// what is to be the same bits on any number of ranks says it.
class ThreadCount {
 public:
  explicit ThreadCount(int64_t wanted);
  ~ThreadCount() { set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int64_t before_;
};

}  // namespace zt::tensor
