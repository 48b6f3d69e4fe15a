// SPDX-License-Identifier: Apache-2.0
// See memory.hpp.
#include "tensor/memory.hpp"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>

#include "base/process/mapped_memory.hpp"
#include "tensor/internal/block_cache.hpp"

namespace zt::tensor {
namespace {

std::atomic<int64_t> g_live_bytes{0};
std::atomic<int64_t> g_peak_bytes{0};
std::atomic<int64_t> g_allocations{0};

/// In front of every buffer lies its size. libtorch wants a raw buffer's context to be its address, so there
/// is no other place for it; 64 bytes keep the alignment that its allocator gives.
constexpr size_t kHeaderBytes = 64;

/// Bytes of freed buffers that are kept. Keeping more saved no time in narrow networks or wide ones.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kKeptLimit = 0;  // a kept buffer would hide a use after it was freed
#else
constexpr size_t kKeptLimit = 32 << 20;
#endif

internal::BlockCache* g_cache = nullptr;

void release(void* buffer) {
  if (buffer == nullptr) return;
  auto* start = static_cast<std::byte*>(buffer) - kHeaderBytes;
  int64_t size = 0;
  std::memcpy(&size, start, sizeof size);
  g_live_bytes.fetch_sub(size, std::memory_order_relaxed);
  g_cache->give_back(start, static_cast<size_t>(size) + kHeaderBytes);
}

void count(int64_t size) {
  const int64_t live = g_live_bytes.fetch_add(size, std::memory_order_relaxed) + size;
  int64_t peak = g_peak_bytes.load(std::memory_order_relaxed);
  while (live > peak && !g_peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
  g_allocations.fetch_add(1, std::memory_order_relaxed);
}

class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::kCPU)};
    auto* start = static_cast<std::byte*>(g_cache->take(bytes + kHeaderBytes));
    const auto size = static_cast<int64_t>(bytes);
    std::memcpy(start, &size, sizeof size);
    count(size);
    std::byte* buffer = start + kHeaderBytes;
    return {buffer, buffer, &release, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* destination, const void* source, size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }
};

}  // namespace

void install_counting_allocator() {
  static std::once_flag once;
  std::call_once(once, [] {
    static CountingAllocator allocator;
    static internal::BlockCache cache(*c10::GetCPUAllocator(), kKeptLimit);
    g_cache = &cache;
    c10::SetCPUAllocator(&allocator, /*priority=*/1);
  });
}

MemoryStats memory_stats() {
  return {g_live_bytes.load(std::memory_order_relaxed), g_peak_bytes.load(std::memory_order_relaxed),
          g_allocations.load(std::memory_order_relaxed)};
}

void reset_peak() {
  g_peak_bytes.store(g_live_bytes.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

at::Tensor mapped_zeros(int64_t size, const at::TensorOptions& options) {
  constexpr size_t kWorthAMapping = 1 << 18;
  const size_t bytes = static_cast<size_t>(size) * options.dtype().itemsize();
  if (!options.device().is_cpu() || bytes < kWorthAMapping) return at::zeros({size}, options);
  const std::shared_ptr<std::byte> memory = mapped_memory(bytes);
  if (!memory) throw std::bad_alloc();
  const bool is_counted = g_cache != nullptr;
  if (is_counted) count(static_cast<int64_t>(bytes));
  const auto give_back = [memory, bytes, is_counted](void*) {
    if (is_counted) g_live_bytes.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  };
  return at::from_blob(memory.get(), {size}, give_back, options);
}

void keep_freed_memory() {
  constexpr int kLargestHeapBuffer = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kLargestHeapBuffer);
  mallopt(M_TRIM_THRESHOLD, kLargestHeapBuffer);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace zt::tensor
