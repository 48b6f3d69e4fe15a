// SPDX-License-Identifier: Apache-2.0
// Sizes that a network's config.json may say: far beyond any network, and products of a few of them fit 64
// bits. Whether the memory suffices is asked later, with the arithmetic.
#pragma once

#include <cstdint>

namespace zt::models::internal {

inline constexpr int64_t kLargestSize = 1 << 18;  ///< channels, widths, sides
inline constexpr int64_t kMostLayers = 1024;
inline constexpr int64_t kLargestPatch = 64;  ///< of the linear codec, a side in pixels

}  // namespace zt::models::internal
