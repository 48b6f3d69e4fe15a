// SPDX-License-Identifier: Apache-2.0
// Where the binary tree in whose order numbers are summed cuts them. Sums of lanes, of ranks and of the
// blocks of the gradient norm have the same bits on any number of ranks because they all cut here.
#pragma once

#include <bit>
#include <cstdint>

namespace zt::params {

/// How many of `count` numbers form the left subtree: the largest power of two below `count`. Requires at
/// least two.
inline int64_t left_half(int64_t count) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(count) - 1));
}

}  // namespace zt::params
