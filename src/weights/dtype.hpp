// SPDX-License-Identifier: Apache-2.0
// Element types of stored tensors and the bit-exact conversions between the floating ones. All files are
// little-endian, and so are the machines we run on (checked at compile time).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"

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

/// bf16 is the upper half of an f32: exact.
constexpr float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }
/// Round to nearest, ties to even; a NaN becomes 0x7FC0 with its sign dropped, as c10::BFloat16 does.
constexpr uint16_t f32_to_bf16(float value) {
  if (value != value) return 0x7FC0;
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
/// Exact, subnormals included; a NaN keeps its payload.
float f16_to_f32(uint16_t bits);
/// Round to nearest, ties to even; too large becomes infinity, a NaN 0x7E00 with its sign, as c10::Half does.
uint16_t f32_to_f16(float value);

/// The elements of a floating tensor as f32 (F64 is rounded to nearest). Errors: InvalidArgument for an
/// integer type or a byte count that is no multiple of the element size.
Result<std::vector<float>> to_f32(DType dtype, std::span<const std::byte> bytes);

}  // namespace zt::weights
