// SPDX-License-Identifier: Apache-2.0
// Reads checkpoints: finds one that is whole, and copies its tensors into live ones by name. Tensors come
// back in logical element order whatever the number of ranks that wrote them (docs/formats/checkpoint.md).
//
//   ZT_TRY_ASSIGN(const Found found, open_newest(run.checkpoints()));
//   for (const Refusal& refusal : found.refused) ...       // say why an older one is used
//   optimizer.visit_state([&](const StateTensor& t) { status = found.reader.copy_into(t); });
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/stored_checkpoint.hpp"
#include "base/error.hpp"
#include "contract/manifest.hpp"
#include "params/shard.hpp"
#include "params/state.hpp"

namespace zt::checkpoint {

/// One open checkpoint. Safe to read from several threads.
class Reader {
 public:
  /// Opens a checkpoint's folder after verifying size and checksum of the share's files (reads all of them).
  /// Errors: NotFound, Corrupt, Unsupported, naming the file and what differs.
  static Result<Reader> open(const std::filesystem::path& folder, contract::FileShare verified = {});

  const std::filesystem::path& folder() const { return stored_.folder(); }
  /// Step, generation, metrics, and the tensors' names, types and shapes.
  const contract::Manifest& manifest() const { return stored_.manifest(); }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Null if there is none of that name.
  const contract::ManifestTensor* find(std::string_view name) const;

  /// Overwrites `target.value` with the stored tensor `target.name`, or with the piece of it that the target
  /// is. A bf16 target takes fp32 rounded to the nearest: its own numbers, where masters are stored. Errors:
  /// NotFound; Corrupt if the type or the shape differs otherwise (a resume needs the very bits).
  Status copy_into(const params::StateTensor& target) const;
  /// The stored tensor as a new one.
  Result<at::Tensor> tensor(std::string_view name) const;
  /// Errors: Corrupt for a scalar that is no number.
  Result<std::vector<params::StateScalar>> scalars() const;

 private:
  explicit Reader(archive::StoredCheckpoint stored);
  /// Elements of a tensor of the manifest, flat.
  at::Tensor elements_of(const contract::ManifestTensor& stored, params::Range wanted) const;
  archive::StoredCheckpoint stored_;
  std::map<std::string, size_t, std::less<>> by_name_;
};

/// A checkpoint that was passed over, and why.
struct Refusal {
  std::string name;  ///< folder name
  int64_t step = 0;
  Error reason;
};

struct Found {
  Reader reader;
  std::vector<Refusal> refused;  ///< in the order tried
};

/// Several processes that open a checkpoint together. Each verifies a share of the files: else the disk would
/// give all of them to every one.
struct SharedVerification {
  contract::FileShare share = {};
  /// Whether all have found their share whole. All call it in the same order. Errors end the search.
  std::function<Result<bool>(bool mine)> all_agree = [](bool mine) { return Result<bool>(mine); };
};

/// The newest whole checkpoint of a folder. Falls back to older ones of lower step, so a run never jumps to
/// steps that it abandoned. One that the run's training removes meanwhile sends whoever reads alone back to
/// the list. Errors: NotFound if there is none at all; Corrupt, listing the reasons, if every one is damaged;
/// Unavailable if training keeps removing them; those of all_agree.
Result<Found> open_newest(const std::filesystem::path& checkpoints,
                          const SharedVerification& verification = {});
/// The whole checkpoint of lowest "val_loss"; where none was validated, as open_newest().
Result<Found> open_best(const std::filesystem::path& checkpoints);

}  // namespace zt::checkpoint
