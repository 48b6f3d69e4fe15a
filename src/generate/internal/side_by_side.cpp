// SPDX-License-Identifier: Apache-2.0
#include "generate/internal/side_by_side.hpp"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include "base/parallel.hpp"
#include "tensor/parallel.hpp"

namespace zt::generate::internal {

bool fits_side_by_side(const models::UNetConfig& unet, int64_t positions, at::Device device) {
  constexpr int64_t kSmallMapBytes = int64_t{4} << 20;  // of the first level
  const auto map_bytes = positions * unet.block_out_channels.front() * static_cast<int64_t>(sizeof(float));
  return device.is_cpu() && at::get_num_threads() > 1 && map_bytes <= kSmallMapBytes;
}

void side_by_side(const std::function<void(size_t)>& body) {
  const int threads_each = at::get_num_threads() / 2;
  const at::ThreadLocalState state;
  parallel_for(2, 2, [&](size_t half) {
    const at::ThreadLocalStateGuard as_caller(state);
    const tensor::ThreadCount half_of_them(threads_each);
    body(half);
  });
}

}  // namespace zt::generate::internal
