// SPDX-License-Identifier: Apache-2.0
// Tensors that do not lie row-major in their storage (transposes, slices), as PyTorch saves them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace zt::weights::internal {

/// Where a tensor lies in a flat storage; everything in elements and not negative.
struct Strided {
  int64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  ///< as many as shape

  /// One past the last element used (0 for an empty tensor); nothing on overflow or when shape and strides
  /// differ in length.
  std::optional<int64_t> end() const;
  /// Row-major without gaps; strides of sizes 0 and 1 do not matter.
  bool is_contiguous() const;
};

/// Copies the elements in row-major order. Requires: end() fits `from`, `to` has exactly the tensor's bytes,
/// which are > 0.
void copy_strided(std::span<const std::byte> from, size_t element_bytes, const Strided& layout,
                  std::span<std::byte> to);

}  // namespace zt::weights::internal
