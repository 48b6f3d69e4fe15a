// SPDX-License-Identifier: Apache-2.0
// What this process may use: memory and cores as the kernel, the container (cgroup v1 and v2) and the CPU
// affinity allow; and checks that refuse work which cannot fit before it starts, with the arithmetic.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace zt::resources {

struct Memory {
  uint64_t total_bytes = 0;      ///< the machine's or the container's limit, whichever is lower
  uint64_t available_bytes = 0;  ///< may be taken now without swapping or being killed
  bool is_limited_by_cgroup = false;
};

/// Reads /proc/meminfo and the cgroup files. `root` replaces "/" in tests. Errors: Unavailable if /proc can't
/// be read.
Result<Memory> memory(const std::filesystem::path& root = "/");

/// Cores this process may run on at once, at least 1: the CPU affinity, cut by the cgroup's quota (rounded
/// up).
int cores(const std::filesystem::path& root = "/");

/// Whether nothing else runs on this machine at one of a few looks in some thirty milliseconds: so no other
/// program computes. False where the kernel does not say.
bool cores_are_free(const std::filesystem::path& root = "/");

/// One term of a demand, e.g. {"optimizer state (2 x 860 M x 4 B)", 6880000000}.
struct Demand {
  std::string what;
  uint64_t bytes = 0;

  /// fp32 numbers, as many as the product of `factors`: "weights (1200 x 4 B)".
  static Demand floats(std::string_view what, std::initializer_list<int64_t> factors);
};
inline constexpr uint64_t kFloatBytes = 4;

/// Of sizes, none of them negative.
uint64_t product(std::initializer_list<int64_t> factors);

/// Errors: Exhausted if the terms add up to more than `available_bytes`; the message lists every term, the
/// sum, what is there, and `advice` (what to change).
Status require(std::string_view resource, std::span<const Demand> demands, uint64_t available_bytes,
               std::string_view advice);
/// require() against the memory available now.
Status require_memory(std::span<const Demand> demands, std::string_view advice);
/// require() against the free space where `path` is or will be.
Status require_disk(const std::filesystem::path& path, std::span<const Demand> demands,
                    std::string_view advice);

}  // namespace zt::resources
