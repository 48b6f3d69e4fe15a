// SPDX-License-Identifier: Apache-2.0
// The words of base/counter_rng.hpp's philox4x32, many blocks at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace zt::tensor::internal {

constexpr int64_t kWordsPerBlock = 4;
constexpr int64_t kBlocksAtOnce = 32;  ///< fewer would be unrolled instead of vectorised
using RandomWords = std::array<uint32_t, kBlocksAtOnce * kWordsPerBlock>;

/// The words of blocks first, first + 1, ... of the stream: block b is philox4x32(key, {stream, b}).
void random_words(const std::array<uint32_t, 2>& key, const std::array<uint32_t, 3>& stream, uint32_t first,
                  RandomWords& into);

}  // namespace zt::tensor::internal
