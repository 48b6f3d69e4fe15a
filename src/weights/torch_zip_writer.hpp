// SPDX-License-Identifier: Apache-2.0
// Writes a state dict as PyTorch's zip format, so that torch.load(path, weights_only=True) gives an
// OrderedDict of tensors. Layout: docs/formats/torch-pickle.md.
#pragma once

#include <filesystem>
#include <span>

#include "base/error.hpp"
#include "weights/tensor_file.hpp"

namespace zt::weights {

/// Writes atomically and durably, tensors in the order given, each with its own storage, 64-byte aligned. The
/// archive's inner folder is the file's stem, as torch.save does. Errors: InvalidArgument (doubled name,
/// bytes that do not fit the shape), and those of files::write_atomic.
Status write_torch_zip(const std::filesystem::path& path, std::span<const TensorEntry> entries);

}  // namespace zt::weights
