// SPDX-License-Identifier: Apache-2.0
// Counts what the peer's tensors hold, the way src/tensor/memory.cpp counts ours: bytes asked for, peak of
// all live buffers. A library of its own, since it is loaded into Python; bench/setup builds it against the
// torch of the peer.
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

std::atomic<int64_t> g_live_bytes{0};
std::atomic<int64_t> g_peak_bytes{0};

/// In front of every buffer lies its size; 64 bytes keep libtorch's alignment.
constexpr size_t kHeaderBytes = 64;

c10::Allocator* g_inner = nullptr;

void release(void* buffer) {
  if (buffer == nullptr) return;
  auto* start = static_cast<std::byte*>(buffer) - kHeaderBytes;
  int64_t size = 0;
  std::memcpy(&size, start, sizeof size);
  g_live_bytes.fetch_sub(size);
  g_inner->raw_deallocate(start);
}

class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::kCPU)};
    auto* start = static_cast<std::byte*>(g_inner->raw_allocate(bytes + kHeaderBytes));
    const auto size = static_cast<int64_t>(bytes);
    std::memcpy(start, &size, sizeof size);
    const int64_t live = g_live_bytes.fetch_add(size) + size;
    int64_t peak = g_peak_bytes.load();
    while (live > peak && !g_peak_bytes.compare_exchange_weak(peak, live)) {
    }
    std::byte* buffer = start + kHeaderBytes;
    return {buffer, buffer, &release, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* destination, const void* source, size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }
};

}  // namespace

extern "C" void install() {
  static CountingAllocator allocator;
  g_inner = c10::GetCPUAllocator();
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
}

extern "C" int64_t peak_tensor_bytes() { return g_peak_bytes.load(); }
