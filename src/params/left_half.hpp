// SPDX-License-Identifier: Apache-2.0
// Where the binary trees in whose order numbers are summed are cut, so that a sum has the same bits on any
// number of ranks.
#pragma once

#include <bit>
#include <cstdint>

namespace zt::params {

/// How many of `count` numbers form the left subtree: the largest power of two below `count`. Requires at
/// least two. For blocks of the gradient norm: a rank's part is few subtrees, wherever it is cut.
inline int64_t left_half(int64_t count) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(count) - 1));
}

/// The same for lanes and ranks: half of an even count. So the lanes of a rank are a subtree for every number
/// of ranks that is a power of two and divides the lanes, and where each rank has one lane. Requires at least
/// two.
inline int64_t left_lanes(int64_t count) { return count % 2 == 0 ? count / 2 : left_half(count); }

}  // namespace zt::params
