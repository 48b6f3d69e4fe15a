// SPDX-License-Identifier: Apache-2.0
// See memory.hpp.
#include "tensor/memory.hpp"

#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace zt::tensor {
namespace {

std::atomic<int64_t> g_live_bytes{0};
std::atomic<int64_t> g_peak_bytes{0};
std::atomic<int64_t> g_allocations{0};

/// What a data pointer's context points to: the inner allocator's own context and the size to give back.
struct Counted {
  c10::DataPtr inner;
  int64_t bytes;
};

void release(void* context) {
  auto* counted = static_cast<Counted*>(context);
  g_live_bytes.fetch_sub(counted->bytes, std::memory_order_relaxed);
  delete counted;
}

class CountingAllocator final : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* inner) : inner_(inner) {}

  c10::DataPtr allocate(size_t bytes) override {
    c10::DataPtr data = inner_->allocate(bytes);
    if (bytes == 0) return data;
    const auto size = static_cast<int64_t>(bytes);
    const int64_t live = g_live_bytes.fetch_add(size, std::memory_order_relaxed) + size;
    int64_t peak = g_peak_bytes.load(std::memory_order_relaxed);
    while (live > peak && !g_peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
    g_allocations.fetch_add(1, std::memory_order_relaxed);
    void* pointer = data.get();
    const c10::Device device = data.device();
    return {pointer, new Counted{std::move(data), size}, &release, device};
  }

  void copy_data(void* destination, const void* source, size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }

 private:
  c10::Allocator* inner_;
};

}  // namespace

void install_counting_allocator() {
  static std::once_flag once;
  std::call_once(once, [] {
    static CountingAllocator allocator(c10::GetCPUAllocator());
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

void keep_freed_memory() {
  constexpr int kLargestHeapBuffer = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kLargestHeapBuffer);
  mallopt(M_TRIM_THRESHOLD, kLargestHeapBuffer);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace zt::tensor
