// SPDX-License-Identifier: Apache-2.0
// Tensors as names, types, shapes and bytes, read from any file a model of this family is published in.
//
// TensorFile::open tells the format by the content, not by the name:
//   safetensors                     mapped, docs/formats/safetensors.md
//   torch zip pickle, torch < 1.6   mapped, read by an allow-listed unpickler that runs nothing,
//   docs/formats/torch-pickle.md
//   *.index.json                    the shards it lists, of either kind
//   a folder                        diffusers or transformers layout; safetensors before .bin, plain before
//   variants
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "weights/dtype.hpp"

namespace zt::weights {

/// One stored tensor, row-major and contiguous. `bytes` is a view: whoever made the entry says what keeps it
/// alive. Its start may be unaligned for the type, so read elements with memcpy.
struct TensorEntry {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;  ///< empty for a scalar
  std::span<const std::byte> bytes;
};

/// The tensors of one model file, in stored order. A copy is cheap and shares the mapping; `bytes` of the
/// entries are valid while any copy lives. Safe to read from several threads.
class TensorFile {
 public:
  /// Errors: NotFound; Corrupt (a header, archive or pickle that is not what it must be); Unsupported (a
  /// valid file that holds something we do not read, named); Exhausted (a file that would unfold to far more
  /// than its size). Cost: header only; tensor bytes stay in the page cache until they are touched.
  static Result<TensorFile> open(const std::filesystem::path& path);
  /// The same over bytes in memory, which must outlive the result. No index and no folder. `label` names it
  /// in messages.
  static Result<TensorFile> parse(std::span<const std::byte> bytes, std::string_view label);

  const std::vector<TensorEntry>& entries() const;
  /// nullptr when there is none of that name.
  const TensorEntry* find(std::string_view name) const;
  /// safetensors' `__metadata__`; empty for other formats.
  const std::map<std::string, std::string>& metadata() const;
  /// What a pickle held beside tensors of the allowed kinds and was left out, e.g. "hyper_parameters:
  /// argparse.Namespace".
  const std::vector<std::string>& skipped() const;
  /// Compares the bytes of a torch zip with the checksum that it states for each of its storages (CRC-32; 0
  /// where torch.save was told to write none). Other formats have no sums: they pass. Reads every byte that
  /// entries view, on as many threads as there are cores. Errors: Corrupt, naming the file and the storage.
  Status check_sums() const;
  /// The files read, in order: one, or the shards.
  const std::vector<std::filesystem::path>& files() const;

  struct State;
  explicit TensorFile(std::shared_ptr<const State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<const State> state_;
};

}  // namespace zt::weights
