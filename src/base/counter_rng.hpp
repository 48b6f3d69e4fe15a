// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: value = f(key, counter), with no state that a restart could lose and no order
// that a thread count could change. Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
// 1, 2, 3"). Use it for data order, crops, augmentation and noise; one stream per (seed, purpose, item).
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace zt {

/// Four random words for one (key, counter) pair.
inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 2> key, std::array<uint32_t, 4> counter) {
  constexpr uint32_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57, kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{kMul0} * counter[0], p1 = uint64_t{kMul1} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return counter;
}

/// A stream of numbers named by (seed, purpose, item); copies continue independently. Not thread-safe: make
/// one per use.
class CounterRng {
 public:
  CounterRng(uint64_t seed, uint64_t purpose, uint64_t item)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        stream_{static_cast<uint32_t>(item), static_cast<uint32_t>(item >> 32),
                static_cast<uint32_t>(purpose)} {}

  uint32_t next_u32() {
    if (used_ == 4) {
      words_ = philox4x32(key_, {stream_[0], stream_[1], stream_[2], block_++});
      used_ = 0;
    }
    return words_[static_cast<size_t>(used_++)];
  }
  uint64_t next_u64() {
    const uint64_t high = next_u32();
    return high << 32 | next_u32();
  }
  /// Uniform in [0, 1) with 53 bits.
  double uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, bound); bound > 0. Lemire's multiplication with rejection: exact.
  uint64_t below(uint64_t bound) {
    for (;;) {
      const uint64_t x = next_u64();
      __extension__ using Wide = unsigned __int128;
      const auto product = static_cast<Wide>(x) * bound;
      const auto low = static_cast<uint64_t>(product);
      if (low >= bound || low >= (-bound) % bound) return static_cast<uint64_t>(product >> 64);
    }
  }
  /// Standard normal, Box-Muller (one of the pair is dropped: the stream stays simple).
  double normal() {
    const double u = 1.0 - uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 3> stream_;
  uint32_t block_ = 0;
  std::array<uint32_t, 4> words_{};
  int used_ = 4;
};

}  // namespace zt
