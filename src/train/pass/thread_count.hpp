// SPDX-License-Identifier: Apache-2.0
// How many threads libtorch's operations of this thread use, for the length of a scope. Their sums are
// rounded by it, so what is to be the same bits on any number of ranks says it.
#pragma once

#include <ATen/Parallel.h>

#include <cstdint>

namespace zt::train {

class ThreadCount {
 public:
  explicit ThreadCount(int64_t wanted) : before_(at::get_num_threads()) {
    at::set_num_threads(static_cast<int>(wanted));
  }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace zt::train
