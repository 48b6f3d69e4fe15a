// SPDX-License-Identifier: Apache-2.0
// Element types of stored tensors. All files are little-endian, and so are the machines we run on (checked at
// compile time).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace zt::weights {

static_assert(std::endian::native == std::endian::little,
              "tensor files are read in place: little-endian hosts only");

enum class DType : uint8_t { F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool };

/// The safetensors spelling: "F64" ... "U8", "BOOL".
std::string_view name(DType dtype);
/// The type of a safetensors spelling; nothing for a name outside the list (F8_E4M3, C64...).
std::optional<DType> parse_dtype(std::string_view name);
/// Bytes per element: 1, 2, 4 or 8.
size_t size_bytes(DType dtype);
bool is_floating(DType dtype);

/// Product of the sizes (1 for a scalar); nothing when a size is negative or the product does not fit int64.
std::optional<int64_t> element_count(std::span<const int64_t> shape);
/// element_count * size_bytes, with the same overflow rule.
std::optional<uint64_t> byte_count(DType dtype, std::span<const int64_t> shape);

}  // namespace zt::weights
