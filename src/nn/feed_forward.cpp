// SPDX-License-Identifier: Apache-2.0
// See feed_forward.hpp.
#include "nn/feed_forward.hpp"

#include <ATen/ATen.h>

namespace zt::nn {

FeedForward::FeedForward(const params::ParamSource& source, int64_t width)
    : proj(source.child("net.0.proj"), width, 8 * width), out(source.child("net.2"), 4 * width, width) {}

at::Tensor FeedForward::operator()(const at::Tensor& x_BSC) const {
  const std::vector<at::Tensor> value_and_gate = proj(x_BSC).chunk(2, -1);
  return out(value_and_gate[0] * at::gelu(value_and_gate[1]));
}

}  // namespace zt::nn
