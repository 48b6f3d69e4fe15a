// SPDX-License-Identifier: Apache-2.0
// See mapped_memory.hpp.
#include "base/process/mapped_memory.hpp"

#include <sys/mman.h>

namespace zt {

// (Large pages are faster still where the kernel has them free, but several times slower where it has to make
// them.)
std::shared_ptr<std::byte> mapped_memory(size_t bytes) {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
  void* const start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kFlags, /*fd=*/-1, 0);
  if (start == MAP_FAILED) return nullptr;
  return {static_cast<std::byte*>(start), [bytes](std::byte* mapping) { ::munmap(mapping, bytes); }};
}

}  // namespace zt
