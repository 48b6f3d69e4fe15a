// SPDX-License-Identifier: Apache-2.0
// Stored tensors (weights/) as libtorch tensors and back.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "weights/tensor_file.hpp"

namespace zt::tensor {

at::ScalarType scalar_type(weights::DType dtype);
/// Throws ContractError for a type that no file format of ours stores.
weights::DType stored_dtype(at::ScalarType type);

/// A view of the entry's bytes where they are aligned for the type, else a copy. A view must not be written
/// to, and the entry's file must outlive it.
at::Tensor from_entry(const weights::TensorEntry& entry);
/// A view of a contiguous CPU tensor, which must outlive the entry. Throws ContractError for another layout
/// or device.
weights::TensorEntry to_entry(std::string name, const at::Tensor& tensor);

}  // namespace zt::tensor
