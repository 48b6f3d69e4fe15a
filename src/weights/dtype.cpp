// SPDX-License-Identifier: Apache-2.0
#include "weights/dtype.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace zt::weights {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  size_t size;
  bool floating;
};

// In the order of DType.
constexpr std::array<DTypeRow, 10> kRows = {{
    {DType::F64, "F64", 8, true},
    {DType::F32, "F32", 4, true},
    {DType::F16, "F16", 2, true},
    {DType::BF16, "BF16", 2, true},
    {DType::I64, "I64", 8, false},
    {DType::I32, "I32", 4, false},
    {DType::I16, "I16", 2, false},
    {DType::I8, "I8", 1, false},
    {DType::U8, "U8", 1, false},
    {DType::Bool, "BOOL", 1, false},
}};

const DTypeRow& row(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

template <class Stored, class Convert>
std::vector<float> converted(std::span<const std::byte> bytes, Convert convert) {
  std::vector<float> out(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) {
    Stored element;
    std::memcpy(&element, bytes.data() + i * sizeof(Stored), sizeof element);
    out[i] = convert(element);
  }
  return out;
}

}  // namespace

std::string_view name(DType dtype) { return row(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (const DTypeRow& r : kRows) {
    if (r.name == name) return r.dtype;
  }
  return std::nullopt;
}

size_t size_bytes(DType dtype) { return row(dtype).size; }
bool is_floating(DType dtype) { return row(dtype).floating; }

std::optional<int64_t> element_count(std::span<const int64_t> shape) {
  int64_t count = 1;
  bool is_empty = false;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    is_empty = is_empty || size == 0;
    // The sizes beside a zero must multiply without overflow too: strides are computed from them.
    if (__builtin_mul_overflow(count, size == 0 ? 1 : size, &count)) return std::nullopt;
  }
  return is_empty ? 0 : count;
}

std::optional<uint64_t> byte_count(DType dtype, std::span<const int64_t> shape) {
  const auto count = element_count(shape);
  uint64_t total = 0;
  if (!count || __builtin_mul_overflow(static_cast<uint64_t>(*count), size_bytes(dtype), &total))
    return std::nullopt;
  return total;
}

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  const uint32_t exponent = bits >> 10 & 0x1F;
  const uint32_t mantissa = bits & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  // Subnormal: mantissa * 2^-24, exact in f32.
  const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | 0x7E00;
  if (magnitude >= 0x47800000)
    return sign | 0x7C00;         // 65536 and above; 65520..65536 rounds up to infinity below
  if (magnitude >= 0x38800000) {  // normal in f16: 2^-14 and above
    const uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
  }
  // Adding 0.5 puts the f16 subnormal's unit, 2^-24, at the last bit of the sum, so the addition itself
  // rounds to nearest even.
  const float sum = std::bit_cast<float>(magnitude) + 0.5f;
  return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - 0x3F000000));
}

Result<std::vector<float>> to_f32(DType dtype, std::span<const std::byte> bytes) {
  if (bytes.size() % size_bytes(dtype) != 0) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{} bytes are no whole number of {} elements", bytes.size(), name(dtype)));
  }
  switch (dtype) {
    case DType::F64:
      return converted<double>(bytes, [](double v) { return static_cast<float>(v); });
    case DType::F32:
      return converted<float>(bytes, [](float v) { return v; });
    case DType::F16:
      return converted<uint16_t>(bytes, f16_to_f32);
    case DType::BF16:
      return converted<uint16_t>(bytes, bf16_to_f32);
    default:
      break;
  }
  return fail(ErrorCode::InvalidArgument, fmt::format("wanted a floating tensor, found {}", name(dtype)));
}

}  // namespace zt::weights
