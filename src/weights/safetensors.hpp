// SPDX-License-Identifier: Apache-2.0
// The safetensors format: u64 header length, JSON header, tensor bytes. Grammar and rules:
// docs/formats/safetensors.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "weights/tensor_file.hpp"

namespace zt::weights {

struct Safetensors {
  std::vector<TensorEntry> entries;  ///< by offset; `bytes` view the parsed file
  std::map<std::string, std::string> metadata;
};

/// Header and views of a whole file in memory, which must outlive the result. Errors: Corrupt for every
/// departure from the format (length, JSON, UTF-8, doubled names, sizes that disagree, holes, overlaps),
/// Unsupported for an element type we do not have. `label` names the file in messages.
Result<Safetensors> parse_safetensors(std::span<const std::byte> file, std::string_view label);

/// Writes atomically and durably, and reads back what was written. Tensors are ordered by element size
/// (largest first), then name, so equal input gives equal bytes; the header is padded so that data begins at
/// a multiple of 64. Errors: InvalidArgument (doubled or invalid name, bytes that do not fit the shape),
/// those of files::write_atomic, Corrupt if the file does not hold what was written.
Status write_safetensors(const std::filesystem::path& path, std::span<const TensorEntry> entries,
                         const std::map<std::string, std::string>& metadata = {});

/// A file as it was written, or would be; the checksum is of the bytes in memory on their way out.
struct WrittenFile {
  uint64_t size_bytes = 0;
  std::string xxh128;
};
/// The same for a file of a folder that is itself unfinished (base/files/temporary.hpp): written in place and
/// synced; the folder is synced by whoever finishes it.
Result<WrittenFile> write_summed_safetensors(const std::filesystem::path& path,
                                             std::span<const TensorEntry> entries);
/// What write_summed_safetensors would return, without writing. Errors: InvalidArgument, as there; `label`
/// stands for the path.
Result<WrittenFile> sum_safetensors(std::string_view label, std::span<const TensorEntry> entries);

}  // namespace zt::weights
