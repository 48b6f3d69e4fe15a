// SPDX-License-Identifier: Apache-2.0
#include "weights/dtype.hpp"

#include <array>

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

}  // namespace zt::weights
