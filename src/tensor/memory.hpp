// SPDX-License-Identifier: Apache-2.0
// Exact count of the CPU bytes that tensors hold, and the settings that keep malloc from giving large buffers
// back to the kernel after each use (page faults cost more than the arithmetic of a training step).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace zt::tensor {

struct MemoryStats {
  int64_t live_bytes = 0;   ///< held by tensors now
  int64_t peak_bytes = 0;   ///< most held at once since the last reset_peak()
  int64_t allocations = 0;  ///< since the process started
};

/// Puts a counting allocator in front of libtorch's CPU allocator. Call once, before the first tensor; a
/// second call does nothing. Cost: two atomic additions per allocation.
void install_counting_allocator();
/// All zero before install_counting_allocator().
MemoryStats memory_stats();
/// Sets the peak to what is live.
void reset_peak();

/// Zeros (size) for a run's whole life: on a CPU a mapping of their own, whose pages the kernel makes and
/// clears all at once, several times faster than one by one when they're first touched.
at::Tensor mapped_zeros(int64_t size, const at::TensorOptions& options);

/// Raises malloc's mmap and trim thresholds so that freed buffers are reused without page faults. Call at
/// start.
void keep_freed_memory();

}  // namespace zt::tensor
