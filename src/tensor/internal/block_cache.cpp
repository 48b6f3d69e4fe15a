// SPDX-License-Identifier: Apache-2.0
// See block_cache.hpp.
#include "tensor/internal/block_cache.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace zt::tensor::internal {
namespace {

constexpr size_t kLineBytes = 64;

/// log2 of the power of two that closes the doubling of a size: 2^(n-1) < bytes <= 2^n.
int doubling(size_t bytes) { return static_cast<int>(std::bit_width(bytes - 1)); }

}  // namespace

size_t rounded_size(size_t bytes) {
  bytes = std::max(bytes, kLineBytes);
  const size_t step = std::max(kLineBytes, std::bit_floor(bytes - 1) / 8);
  return (bytes + step - 1) / step * step;
}

BlockCache::Shelf& BlockCache::shelf(size_t rounded) {
  const int n = doubling(rounded);
  const size_t eighth = (rounded - (size_t{1} << (n - 1))) >> (n - 4);  // 1 to 8
  return shelves_[static_cast<size_t>(n) * 8 + eighth - 1];
}

void* BlockCache::take(size_t bytes) {
  if (bytes > kLargestKept) return inner_.raw_allocate(bytes);
  const size_t rounded = rounded_size(bytes);
  Shelf& own = shelf(rounded);
  {
    const std::lock_guard lock(own.mutex);
    if (void* block = own.top) {
      std::memcpy(&own.top, block, sizeof own.top);
      kept_bytes_.fetch_sub(rounded, std::memory_order_relaxed);
      return block;
    }
  }
  return inner_.raw_allocate(rounded);
}

void BlockCache::give_back(void* block, size_t bytes) {
  const size_t rounded = rounded_size(bytes);
  if (bytes > kLargestKept || kept_bytes() + rounded > limit_bytes_) return inner_.raw_deallocate(block);
  Shelf& own = shelf(rounded);
  const std::lock_guard lock(own.mutex);
  std::memcpy(block, &own.top, sizeof own.top);
  own.top = block;
  kept_bytes_.fetch_add(rounded, std::memory_order_relaxed);
}

}  // namespace zt::tensor::internal
