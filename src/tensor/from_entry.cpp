// SPDX-License-Identifier: Apache-2.0
// See from_entry.hpp.
#include "tensor/from_entry.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <utility>

#include "tensor/require.hpp"

namespace zt::tensor {
namespace {

constexpr std::array<std::pair<weights::DType, at::ScalarType>, 10> kTypes = {{
    {weights::DType::F64, at::kDouble},
    {weights::DType::F32, at::kFloat},
    {weights::DType::F16, at::kHalf},
    {weights::DType::BF16, at::kBFloat16},
    {weights::DType::I64, at::kLong},
    {weights::DType::I32, at::kInt},
    {weights::DType::I16, at::kShort},
    {weights::DType::I8, at::kChar},
    {weights::DType::U8, at::kByte},
    {weights::DType::Bool, at::kBool},
}};

}  // namespace

at::ScalarType scalar_type(weights::DType dtype) {
  for (const auto& [stored, type] : kTypes) {
    if (stored == dtype) return type;
  }
  ZT_REQUIRE(false, "unknown stored type ", static_cast<int>(dtype));
}

weights::DType stored_dtype(at::ScalarType type) {
  for (const auto& [stored, scalar] : kTypes) {
    if (scalar == type) return stored;
  }
  ZT_REQUIRE(false, "no file format stores ", c10::toString(type));
}

at::Tensor from_entry(const weights::TensorEntry& entry) {
  const at::ScalarType type = scalar_type(entry.dtype);
  const auto options = at::TensorOptions().dtype(type);
  const size_t element = weights::size_bytes(entry.dtype);
  if (reinterpret_cast<uintptr_t>(entry.bytes.data()) % element != 0) {
    at::Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.data_ptr(), entry.bytes.data(), entry.bytes.size());
    return copy;
  }
  // from_blob wants a mutable pointer; the contract above forbids writing through it.
  return at::from_blob(const_cast<std::byte*>(entry.bytes.data()), entry.shape, options);
}

weights::TensorEntry to_entry(std::string name, const at::Tensor& tensor) {
  ZT_REQUIRE(tensor.is_contiguous() && tensor.device().is_cpu(), name,
             ": only a contiguous CPU tensor has stored bytes, got ", tensor);
  return {std::move(name),
          stored_dtype(tensor.scalar_type()),
          tensor.sizes().vec(),
          {static_cast<const std::byte*>(tensor.const_data_ptr()), static_cast<size_t>(tensor.nbytes())}};
}

}  // namespace zt::tensor
