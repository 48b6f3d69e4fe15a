// SPDX-License-Identifier: Apache-2.0
// Freed tensor buffers, kept for the next tensor of their size. A training step allocates the same few sizes
// thousands of times; malloc splits and joins its chunks each time, which costs a tenth of the step in narrow
// networks. Large buffers go past the cache: there malloc's joining saves memory and costs nothing beside the
// arithmetic.
#pragma once

#include <c10/core/Allocator.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace zt::tensor::internal {

/// The size that a request of `bytes` gets: the next of 8 sizes per doubling, a multiple of 64.
size_t rounded_size(size_t bytes);

class BlockCache {
 public:
  /// `inner` gives and takes the memory; it must outlive the cache. At most `limit_bytes` of it are kept.
  BlockCache(c10::Allocator& inner, size_t limit_bytes) : inner_(inner), limit_bytes_(limit_bytes) {}
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  /// At least `bytes` (> 0) of memory that holds anything, aligned as inner's.
  void* take(size_t bytes);
  /// A block that take(bytes) gave. It is kept while what is kept stays within the limit, else released.
  void give_back(void* block, size_t bytes);

  size_t kept_bytes() const { return kept_bytes_.load(std::memory_order_relaxed); }

  /// Requests above this are not kept.
  static constexpr size_t kLargestKept = size_t{1} << 20;

 private:
  /// Blocks of one size, the last freed first: it is the likeliest to be in the processor's cache.
  struct alignas(64) Shelf {
    std::mutex mutex;
    void* top = nullptr;  ///< each block begins with the address of the next
  };
  static constexpr size_t kShelves = 8 * 21;
  Shelf& shelf(size_t rounded);

  c10::Allocator& inner_;
  const size_t limit_bytes_;
  std::array<Shelf, kShelves> shelves_;
  std::atomic<size_t> kept_bytes_{0};
};

}  // namespace zt::tensor::internal
