// SPDX-License-Identifier: Apache-2.0
#include "weights/internal/strided_copy.hpp"

#include <algorithm>
#include <cstring>

namespace zt::weights::internal {

std::optional<int64_t> Strided::end() const {
  if (shape.size() != strides.size()) return std::nullopt;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t last = offset;
  for (size_t d = 0; d < shape.size(); ++d) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(shape[d] - 1, strides[d], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return std::nullopt;
    }
  }
  return __builtin_add_overflow(last, 1, &last) ? std::nullopt : std::optional(last);
}

bool Strided::is_contiguous() const {
  int64_t wanted = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] != 1 && strides[d] != wanted) return false;
    wanted *= shape[d];
  }
  return true;
}

void copy_strided(std::span<const std::byte> from, size_t element_bytes, const Strided& layout,
                  std::span<std::byte> to) {
  std::vector<int64_t> index(layout.shape.size(), 0);
  // A size of 1 never steps, and its stride may be any number.
  std::vector<int64_t> strides = layout.strides;
  for (size_t d = 0; d < strides.size(); ++d) {
    if (layout.shape[d] == 1) strides[d] = 0;
  }
  int64_t position = layout.offset;
  for (size_t written = 0; written < to.size(); written += element_bytes) {
    std::memcpy(to.data() + written, from.data() + static_cast<size_t>(position) * element_bytes,
                element_bytes);
    for (size_t d = index.size(); d-- > 0;) {
      position += strides[d];
      if (++index[d] < layout.shape[d]) break;
      position -= strides[d] * layout.shape[d];
      index[d] = 0;
    }
  }
}

}  // namespace zt::weights::internal
