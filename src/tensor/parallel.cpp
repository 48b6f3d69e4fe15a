// SPDX-License-Identifier: Apache-2.0
// See parallel.hpp. Compiled with -fopenmp (CMakeLists.txt).
#include "tensor/parallel.hpp"

#include <ATen/Parallel.h>
#include <c10/util/ParallelGuard.h>

#include <algorithm>

#ifndef INTRA_OP_PARALLEL
#error "at::parallel_for would be serial: this file is to be compiled with -fopenmp"
#endif

namespace zt::tensor {

void set_num_threads(int64_t wanted) {
  at::get_num_threads();  // libtorch's first look at this thread, which would undo the next line later
  at::set_num_threads(static_cast<int>(wanted));
}

ThreadCount::ThreadCount(int64_t wanted) : before_(at::get_num_threads()) { set_num_threads(wanted); }

// at::parallel_for without its look at the thread: this file's copy of "has it been looked at" is not
// libtorch's, so it would look again, at any time, and find what another thread asked for.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t first, int64_t last)> body) {
  if (begin >= end) return;
  const bool is_worth_threads =
      end - begin > std::max<int64_t>(grain, 1) && !at::in_parallel_region() && at::get_num_threads() > 1;
  const auto run = [body](int64_t first, int64_t last) {
    const c10::ParallelGuard in_loop(true);
    body(first, last);
  };
  if (is_worth_threads) return at::internal::invoke_parallel(begin, end, grain, run);
  const at::internal::ThreadIdGuard first_thread(0);
  run(begin, end);
}

}  // namespace zt::tensor
