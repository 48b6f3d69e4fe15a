// SPDX-License-Identifier: Apache-2.0
// See parallel.hpp. Compiled with -fopenmp (CMakeLists.txt).
#include "tensor/parallel.hpp"

#include <ATen/Parallel.h>

#ifndef INTRA_OP_PARALLEL
#error "at::parallel_for would be serial: this file is to be compiled with -fopenmp"
#endif

namespace zt::tensor {

void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t first, int64_t last)> body) {
  at::parallel_for(begin, end, grain, [body](int64_t first, int64_t last) { body(first, last); });
}

}  // namespace zt::tensor
