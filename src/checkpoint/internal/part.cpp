// SPDX-License-Identifier: Apache-2.0
// See part.hpp.
#include "checkpoint/internal/part.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/process/resources.hpp"
#include "tensor/from_entry.hpp"
#include "weights/safetensors.hpp"

namespace zt::checkpoint::internal {
namespace {

namespace fs = std::filesystem;
using Tensors = std::span<const params::StateTensor>;

std::vector<weights::TensorEntry> entries_of(Tensors tensors) {
  std::vector<weights::TensorEntry> entries;
  for (const params::StateTensor& t : tensors) entries.push_back(tensor::to_entry(t.name, t.value));
  return entries;
}

contract::ManifestFile named(std::string name, const weights::WrittenFile& file) {
  return {std::move(name), file.size_bytes, file.xxh128};
}

void add_file(contract::ManifestPart& part, contract::ManifestFile file, Tensors tensors) {
  const auto index = static_cast<uint32_t>(part.files.size());
  part.files.push_back(std::move(file));
  for (const params::StateTensor& t : tensors) {
    const int64_t begin = t.piece ? t.piece->begin : 0;
    part.tensors.push_back({t.name,
                            std::string(weights::name(tensor::stored_dtype(t.value.scalar_type()))),
                            t.piece ? t.piece->whole_shape : t.value.sizes().vec(),
                            {{index, t.name, begin, begin + t.value.numel()}}});
  }
}

/// The file of frozen tensors in an earlier checkpoint, if it should hold these very bytes.
std::optional<fs::path> find_frozen(contract::CheckpointFolder& checkpoints,
                                    const contract::ManifestFile& wanted) {
  for (const contract::CheckpointEntry& entry : newest_first(checkpoints.list())) {
    for (const contract::ManifestFile& file : entry.files) {
      if (file.name == wanted.name && file.size_bytes == wanted.size_bytes && file.xxh128 == wanted.xxh128)
        return entry.folder / file.name;
    }
  }
  return std::nullopt;
}

/// Links an earlier checkpoint's file, if it is still whole.
bool link_frozen(const fs::path& earlier, const fs::path& folder, const contract::ManifestFile& wanted) {
  std::error_code ec;  // a file system without hard links
  fs::create_hard_link(earlier, folder / wanted.name, ec);
  if (ec) return false;
  if (contract::verify_file(folder, wanted)) return true;
  fs::remove(folder / wanted.name, ec);
  return false;
}

Status require_space(const Save& save, uint64_t bytes) {
  const resources::Demand demand{fmt::format("checkpoint of step {}", save.snapshot.step), bytes};
  return resources::require_disk(save.options.folder, std::span(&demand, 1),
                                 "free some space, or lower checkpoint.keep_last or keep_epochs");
}

uint64_t num_bytes(std::span<const weights::TensorEntry> entries) {
  uint64_t sum = 0;
  for (const weights::TensorEntry& e : entries) sum += e.bytes.size();
  return sum;
}

}  // namespace

Result<WrittenPart> write_part(const Save& save, int rank, const fs::path& folder) {
  const Snapshot& snapshot = save.snapshot;
  const auto trained = entries_of(snapshot.tensors), frozen = entries_of(snapshot.frozen);
  ZT_TRY_ASSIGN(const weights::WrittenFile frozen_sum,
                weights::sum_safetensors(contract::frozen_file(rank), frozen));
  const contract::ManifestFile frozen_file = named(contract::frozen_file(rank), frozen_sum);
  std::optional<fs::path> shared;
  if (!frozen.empty()) shared = find_frozen(save.checkpoints, frozen_file);
  ZT_TRY(require_space(save, num_bytes(trained) + (shared ? 0 : num_bytes(frozen))));

  WrittenPart written;
  const std::string name = fmt::format("rank-{:05}.safetensors", rank);
  const auto file = weights::write_summed_safetensors(folder / name, trained);
  save.let_go();
  // Asked first: what changed while it was written looks like a disk that does not keep its bytes.
  if (save.is_called_off) return fail(ErrorCode::Timeout, "it took too long, and training went on");
  if (!file) return fail(file.error());
  add_file(written.part, named(name, *file), snapshot.tensors);
  written.bytes = file->size_bytes;
  if (frozen.empty()) return written;
  if (!shared || !link_frozen(*shared, folder, frozen_file)) {
    ZT_TRY(weights::write_summed_safetensors(folder / frozen_file.name, frozen));
    written.bytes += frozen_file.size_bytes;
  }
  add_file(written.part, frozen_file, snapshot.frozen);
  return written;
}

}  // namespace zt::checkpoint::internal
