// SPDX-License-Identifier: Apache-2.0
// Loops on libtorch's threads. at::parallel_for is a template that is silently serial in a file compiled
// without OpenMP; this one is compiled with it once, so no caller has to be.
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace zt::tensor {

/// Cuts [begin, end) into as many runs as this thread has libtorch threads (at::get_num_threads()), but none
/// shorter than `grain`, and calls body(first, last) for each on a thread of its own. Inside such a loop it
/// is one call on the same thread. Thread-local states, gradient mode among them, are not carried over. The
/// first exception is thrown again here.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  c10::function_ref<void(int64_t first, int64_t last)> body);

}  // namespace zt::tensor
