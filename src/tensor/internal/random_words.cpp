// SPDX-License-Identifier: Apache-2.0
// See random_words.hpp. The rounds of philox4x32 with a block in each lane.
#include "tensor/internal/random_words.hpp"

#include "base/target_clones.hpp"

namespace zt::tensor::internal {

// Whole numbers have the same bits in all clones.
ZT_TARGET_CLONES("arch=x86-64-v4", "avx2", "default")
void random_words(const std::array<uint32_t, 2>& key, const std::array<uint32_t, 3>& stream, uint32_t first,
                  RandomWords& into) {
  constexpr uint32_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57, kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t a[kBlocksAtOnce], b[kBlocksAtOnce], c[kBlocksAtOnce], d[kBlocksAtOnce];
  for (int j = 0; j < kBlocksAtOnce; ++j) {
    a[j] = stream[0], b[j] = stream[1], c[j] = stream[2];
    d[j] = first + static_cast<uint32_t>(j);
  }
  uint32_t key0 = key[0], key1 = key[1];
  for (int round = 0; round < 10; ++round, key0 += kWeyl0, key1 += kWeyl1)
    for (int j = 0; j < kBlocksAtOnce; ++j) {
      const uint64_t p0 = uint64_t{kMul0} * a[j], p1 = uint64_t{kMul1} * c[j];
      a[j] = static_cast<uint32_t>(p1 >> 32) ^ b[j] ^ key0;
      b[j] = static_cast<uint32_t>(p1);
      c[j] = static_cast<uint32_t>(p0 >> 32) ^ d[j] ^ key1;
      d[j] = static_cast<uint32_t>(p0);
    }
  for (size_t j = 0; j < kBlocksAtOnce; ++j) {
    into[4 * j] = a[j], into[4 * j + 1] = b[j];
    into[4 * j + 2] = c[j], into[4 * j + 3] = d[j];
  }
}

}  // namespace zt::tensor::internal
