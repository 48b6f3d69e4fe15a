// SPDX-License-Identifier: Apache-2.0
#include "tensor/internal/block_cache.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace zt::tensor::internal {
namespace {

/// malloc that counts, and frees at its end what was not given back: a cache never lets go of what it keeps.
class CountedMalloc final : public c10::Allocator {
 public:
  ~CountedMalloc() override {
    for (void* block : std::exchange(held_, {})) std::free(block);
  }
  c10::DataPtr allocate(size_t bytes) override {
    ++given;
    void* block = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    held_.insert(block);
    return {block, block, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* destination, const void* source, size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }
  int given = 0;
  static inline int taken = 0;

 private:
  static void release(void* block) {
    ++taken;
    held_.erase(block);
    std::free(block);
  }
  static inline std::set<void*> held_;
};

constexpr size_t kNoLimit = SIZE_MAX;

TEST(BlockCache, RoundsToEightSizesPerDoubling) {
  EXPECT_EQ(rounded_size(1), 64u);
  EXPECT_EQ(rounded_size(65), 128u);
  EXPECT_EQ(rounded_size(1024), 1024u);
  EXPECT_EQ(rounded_size(1025), 1152u);
  EXPECT_EQ(rounded_size((1 << 19) + 1), (size_t{1} << 19) + (1 << 16));
}

TEST(BlockCache, GivesEverySizeABlockThatHoldsIt) {
  CountedMalloc inner;
  BlockCache cache(inner, kNoLimit);
  for (size_t bytes = 1; bytes <= BlockCache::kLargestKept; bytes += bytes / 7 + 1) {
    for (int round = 0; round < 2; ++round) {  // the second from the shelf
      void* block = cache.take(bytes);
      std::memset(block, 0xff, bytes);
      cache.give_back(block, bytes);
    }
  }
}

TEST(BlockCache, ReusesABlockForRequestsThatRoundAlike) {
  CountedMalloc inner;
  BlockCache cache(inner, kNoLimit);
  void* first = cache.take(1000);
  cache.give_back(first, 1000);

  EXPECT_EQ(cache.kept_bytes(), 1024u);
  EXPECT_EQ(cache.take(1020), first);
  EXPECT_EQ(cache.kept_bytes(), 0u);
  EXPECT_NE(cache.take(1020), first);
  EXPECT_EQ(inner.given, 2);
}

TEST(BlockCache, ReleasesWhatIsOverTheLimitOrLarge) {
  CountedMalloc inner;
  BlockCache cache(inner, 1024);
  const int taken_before = CountedMalloc::taken;

  void* a = cache.take(1024);
  void* b = cache.take(1024);
  cache.give_back(a, 1024);
  cache.give_back(b, 1024);
  BlockCache unlimited(inner, kNoLimit);
  constexpr size_t kLarge = (size_t{1} << 20) + 1;
  unlimited.give_back(unlimited.take(kLarge), kLarge);

  EXPECT_EQ(CountedMalloc::taken - taken_before, 2);
  EXPECT_EQ(cache.kept_bytes(), 1024u);
  EXPECT_EQ(unlimited.kept_bytes(), 0u);
}

TEST(BlockCache, NeverGivesABlockToTwoThreads) {
  CountedMalloc inner;
  BlockCache cache(inner, kNoLimit);
  for (int i = 0; i < 4; ++i) cache.give_back(cache.take(256), 256);
  std::vector<void*> stock;
  for (int i = 0; i < 64; ++i) stock.push_back(cache.take(256));
  for (void* block : stock) cache.give_back(block, 256);

  const auto work = [&cache](uint8_t mark, bool* intact) {
    for (int round = 0; round < 20000; ++round) {
      auto* block = static_cast<uint8_t*>(cache.take(256));
      std::memset(block, mark, 256);
      *intact = *intact && block[0] == mark && block[255] == mark;
      cache.give_back(block, 256);
    }
  };
  bool intact[2] = {true, true};
  std::thread other(work, uint8_t{1}, &intact[0]);
  work(2, &intact[1]);
  other.join();

  EXPECT_TRUE(intact[0] && intact[1]);
  std::set<void*> distinct;
  for (int i = 0; i < 64; ++i) distinct.insert(cache.take(256));
  EXPECT_EQ(distinct.size(), 64u);
}

}  // namespace
}  // namespace zt::tensor::internal
