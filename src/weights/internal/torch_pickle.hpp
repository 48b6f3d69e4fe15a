// SPDX-License-Identifier: Apache-2.0
// PyTorch's two file formats on top of pickle: the zip archive (since 1.6) and the stream before it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "weights/internal/pickle.hpp"
#include "weights/internal/zip_archive.hpp"
#include "weights/tensor_file.hpp"

namespace zt::weights::internal {

/// A storage of the zip format, and what the archive says of it.
struct StoredStorage {
  std::string name;
  ZipEntry entry;
};

/// The tensors of a file. Entries view the file's bytes or, where a tensor was not contiguous, `copies`.
struct TorchTensors {
  std::vector<TensorEntry> entries;
  std::vector<std::string> skipped;  ///< "name: module.Class" of values that are no tensors and no plain data
  std::vector<std::unique_ptr<std::byte[]>> copies;
  std::vector<StoredStorage> storages;  ///< that tensors lie in, each once; of the zip format only
};

/// Whether the bytes begin like the stream format of PyTorch before 1.6.
bool looks_like_torch_stream(std::span<const std::byte> file);

/// Errors: those of ZipArchive and parse_pickle; Corrupt (a tensor outside its storage, a missing storage, a
/// call that only an attack makes: os.system, builtins.eval...); Unsupported (whole objects instead of a
/// state dict, element types we do not have, big-endian); Exhausted (strides that unfold to far more than the
/// file's size).
Result<TorchTensors> parse_torch_zip(std::span<const std::byte> file, std::string_view label);
Result<TorchTensors> parse_torch_stream(std::span<const std::byte> file, std::string_view label);

}  // namespace zt::weights::internal
