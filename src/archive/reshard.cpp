// SPDX-License-Identifier: Apache-2.0
// See reshard.hpp.
#include "archive/reshard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "archive/compare.hpp"
#include "base/files/files.hpp"
#include "base/process/resources.hpp"
#include "contract/checkpoint_folder.hpp"
#include "weights/safetensors.hpp"

namespace zt::archive {
namespace {

namespace fs = std::filesystem;
using contract::ManifestChunk;
using contract::ManifestTensor;

/// The manifest's tensors that the ranks share, one behind the other in one row of bytes.
struct Row {
  std::vector<size_t> tensors;
  uint64_t bytes = 0;
};

bool is_frozen(const contract::Manifest& manifest, const ManifestTensor& tensor) {
  return !tensor.chunks.empty() && contract::is_frozen_file(manifest.files[tensor.chunks.front().file].name);
}

uint64_t num_bytes(const StoredCheckpoint& from, size_t tensor) {
  const auto& chunks = from.manifest().tensors[tensor].chunks;
  return chunks.empty() ? 0
                        : static_cast<uint64_t>(chunks.back().end) * weights::size_bytes(from.dtype(tensor));
}

Row row_of(const StoredCheckpoint& from) {
  Row row;
  for (size_t i = 0; i < from.manifest().tensors.size(); ++i) {
    if (is_frozen(from.manifest(), from.manifest().tensors[i])) continue;
    row.tensors.push_back(i);
    row.bytes += num_bytes(from, i);
  }
  return row;
}

/// Elements [begin, end) of a tensor: a view of the chunk that has them all, else a copy in `owned`.
std::span<const std::byte> elements(const StoredCheckpoint& from, size_t tensor, int64_t begin, int64_t end,
                                    std::vector<std::vector<std::byte>>& owned) {
  const size_t width = weights::size_bytes(from.dtype(tensor));
  std::vector<std::byte> joined;
  for (const ManifestChunk& chunk : from.manifest().tensors[tensor].chunks) {
    const int64_t first = std::max(begin, chunk.begin), last = std::min(end, chunk.end);
    if (first >= last) continue;
    const auto here = from.bytes(chunk).subspan(static_cast<size_t>(first - chunk.begin) * width,
                                                static_cast<size_t>(last - first) * width);
    if (first == begin && last == end) return here;
    joined.insert(joined.end(), here.begin(), here.end());
  }
  owned.push_back(std::move(joined));
  return owned.back();
}

/// A rank's stretch of the row, cut on whole elements, into a file of `folder`.
Result<contract::ManifestPart> write_rank(const StoredCheckpoint& from, const Row& row, int64_t rank,
                                          int64_t ranks, const fs::path& folder) {
  const auto border = [&, n = static_cast<uint64_t>(ranks)](int64_t rank_number) {
    const auto r = static_cast<uint64_t>(rank_number);
    return row.bytes / n * r + row.bytes % n * r / n;  // bytes x r may be more than 64 bits hold
  };
  contract::ManifestPart part;
  std::vector<weights::TensorEntry> entries;
  std::vector<std::vector<std::byte>> owned;
  uint64_t offset = 0;  // of the tensor in the row
  for (const size_t i : row.tensors) {
    const ManifestTensor& tensor = from.manifest().tensors[i];
    const uint64_t width = weights::size_bytes(from.dtype(i)), size = num_bytes(from, i);
    const auto cut = [&](int64_t r) {
      return static_cast<int64_t>((std::clamp(border(r), offset, offset + size) - offset) / width);
    };
    const int64_t begin = cut(rank), end = cut(rank + 1);
    offset += size;
    if (begin == end && !(size == 0 && rank == 0)) continue;  // an empty tensor is the first rank's
    const bool is_whole = static_cast<uint64_t>(end - begin) * width == size;
    entries.push_back({tensor.name, from.dtype(i),
                       is_whole ? tensor.shape : std::vector<int64_t>{end - begin},
                       elements(from, i, begin, end, owned)});
    part.tensors.push_back({tensor.name, tensor.dtype, tensor.shape, {{0, tensor.name, begin, end}}});
  }
  const std::string name = fmt::format("rank-{:05}.safetensors", rank);
  ZT_TRY_ASSIGN(const auto written, weights::write_summed_safetensors(folder / name, entries));
  part.files.push_back({name, written.size_bytes, written.xxh128});
  return part;
}

Status link_or_copy(const fs::path& source, const fs::path& target) {
  std::error_code ec;
  fs::create_hard_link(source, target, ec);
  if (!ec) return {};  // else another file system, or one without hard links
  ZT_TRY_ASSIGN(const auto mapping, files::Mapping::open(source));
  return files::write_atomic(target, mapping->bytes());
}

/// The files of the frozen tensors as they are.
Status add_frozen(const StoredCheckpoint& from, const fs::path& folder, contract::Manifest& manifest) {
  contract::ManifestPart part;
  std::map<uint32_t, uint32_t> numbers;  // of the files: there, here
  for (uint32_t i = 0; const contract::ManifestFile& file : from.manifest().files) {
    const uint32_t there = i++;
    if (!contract::is_frozen_file(file.name)) continue;
    numbers[there] = static_cast<uint32_t>(part.files.size());
    part.files.push_back(file);
    ZT_TRY(link_or_copy(from.folder() / file.name, folder / file.name));
  }
  for (const ManifestTensor& tensor : from.manifest().tensors) {
    if (!is_frozen(from.manifest(), tensor)) continue;
    part.tensors.push_back(tensor);
    for (ManifestChunk& chunk : part.tensors.back().chunks) {
      if (!numbers.contains(chunk.file))
        return fail(ErrorCode::Corrupt,
                    fmt::format("{} is frozen and trained in {}", tensor.name, from.folder().string()));
      chunk.file = numbers[chunk.file];
    }
  }
  contract::add_part(manifest, part);
  return {};
}

uint64_t size_of(const contract::Manifest& manifest) {
  uint64_t sum = 0;
  for (const contract::ManifestFile& file : manifest.files) sum += file.size_bytes;
  return sum;
}

}  // namespace

Status reshard(const StoredCheckpoint& from, int64_t ranks, const fs::path& to) {
  std::error_code ec;
  if (fs::exists(to, ec))
    return fail(ErrorCode::AlreadyExists,
                to.string() + " already exists: choose another with -o, or remove it");
  if (!contract::check_name(to, from.manifest().step))
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{} is the name of another step's checkpoint, this one is of step {}: call it {}, or "
                    "anything that is not a step's name",
                    to.string(), from.manifest().step, contract::checkpoint_name(from.manifest().step)));
  ZT_TRY(files::make_folders(files::whole_path(to).parent_path()));
  files::remove_leftovers_of(to);
  const resources::Demand demand{fmt::format("checkpoint of step {}", from.manifest().step),
                                 size_of(from.manifest())};
  ZT_TRY(resources::require_disk(to, std::span(&demand, 1), "free some space, or choose another folder"));

  ZT_TRY_ASSIGN(const files::Temporary unfinished, files::Temporary::folder(to));
  contract::Manifest manifest = from.manifest();
  manifest.world_size = static_cast<int>(ranks);
  manifest.files.clear();
  manifest.tensors.clear();
  const Row row = row_of(from);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    ZT_TRY_ASSIGN(const auto part, write_rank(from, row, rank, ranks, unfinished.path()));
    contract::add_part(manifest, part);
  }
  ZT_TRY(add_frozen(from, unfinished.path(), manifest));
  ZT_TRY(files::write_atomic(unfinished.path() / "manifest.json", contract::to_json(manifest)));

  auto written = StoredCheckpoint::open(unfinished.path());
  if (!written) return fail(std::move(written).error().with("while reading the new checkpoint back"));
  if (!compare(from, *written).is_same())
    return fail(ErrorCode::Corrupt, to.string() + " does not read back as what was written: check the disk");
  return files::rename_durable(unfinished.path(), to);
}

}  // namespace zt::archive
