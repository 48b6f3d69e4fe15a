// SPDX-License-Identifier: Apache-2.0
// A checkpoint as its files: opened whole and read without libtorch. checkpoint/reader.hpp makes tensors of
// it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "contract/manifest.hpp"
#include "weights/dtype.hpp"
#include "weights/tensor_file.hpp"

namespace zt::archive {

class StoredCheckpoint {
 public:
  /// Reads the files of the share against their checksums, and compares every chunk with what its file says
  /// to hold. Errors: NotFound, Corrupt, Unsupported, naming the file and what differs.
  static Result<StoredCheckpoint> open(const std::filesystem::path& folder,
                                       contract::FileShare verified = {});

  const std::filesystem::path& folder() const { return folder_; }
  const contract::Manifest& manifest() const { return manifest_; }
  /// Type of the manifest's tensor number `tensor`.
  weights::DType dtype(size_t tensor) const { return dtypes_[tensor]; }
  /// The elements of a chunk of the manifest. Valid while this object lives, also when the files are removed.
  std::span<const std::byte> bytes(const contract::ManifestChunk& chunk) const;

 private:
  StoredCheckpoint() = default;
  Status check_chunks(const contract::ManifestTensor& tensor, weights::DType dtype) const;
  std::filesystem::path folder_;
  contract::Manifest manifest_;
  std::vector<weights::DType> dtypes_;      ///< of the tensors
  std::vector<weights::TensorFile> files_;  ///< as in the manifest
};

}  // namespace zt::archive
