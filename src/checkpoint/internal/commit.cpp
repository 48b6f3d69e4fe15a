// SPDX-License-Identifier: Apache-2.0
// See commit.hpp. Order of the writes and the reasons: docs/formats/checkpoint.md.
#include "checkpoint/internal/commit.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/resources.hpp"
#include "contract/manifest.hpp"
#include "tensor/from_entry.hpp"
#include "weights/safetensors.hpp"

namespace zt::checkpoint::internal {
namespace {

namespace fs = std::filesystem;
constexpr const char* kRankFile = "rank-00000.safetensors";
constexpr const char* kFrozenFile = "frozen.safetensors";

std::string scalar_text(const std::variant<int64_t, double>& value) {
  // The alternate form always has a point or an exponent, so a reader can tell 1.0 from 1.
  if (const double* number = std::get_if<double>(&value)) return fmt::format("{:#}", *number);
  return fmt::format("{}", std::get<int64_t>(value));
}

std::vector<weights::TensorEntry> entries_of(const std::vector<params::StateTensor>& tensors) {
  std::vector<weights::TensorEntry> entries;
  for (const params::StateTensor& t : tensors) entries.push_back(tensor::to_entry(t.name, t.value));
  return entries;
}

contract::Manifest describe(const SaverOptions& options, const Snapshot& snapshot) {
  contract::Manifest m;
  m.step = snapshot.step;
  m.generation = options.generation;
  m.run_id = options.run_id;
  m.config_digest = options.config_digest;
  m.written_at = clock::utc_now();
  for (const params::StateScalar& scalar : snapshot.scalars)
    m.scalars[scalar.name] = scalar_text(scalar.value);
  m.metrics = snapshot.metrics;
  return m;
}

void add_file(contract::Manifest& m, const char* name, const weights::WrittenFile& file,
              std::span<const weights::TensorEntry> entries) {
  const auto index = static_cast<uint32_t>(m.files.size());
  m.files.push_back({name, file.size_bytes, file.xxh128});
  for (const weights::TensorEntry& e : entries) {
    const int64_t numel = weights::element_count(e.shape).value_or(0);
    m.tensors.push_back({e.name, std::string(weights::name(e.dtype)), e.shape, {{index, e.name, 0, numel}}});
  }
}

// The file of frozen tensors in an earlier checkpoint, if it should hold these very bytes.
std::optional<fs::path> find_frozen(const fs::path& checkpoints, const weights::WrittenFile& wanted) {
  for (const contract::CheckpointEntry& entry : newest_first(contract::list_checkpoints(checkpoints))) {
    const auto manifest = contract::read_manifest(entry.folder);
    if (!manifest) continue;
    for (const contract::ManifestFile& file : manifest->files) {
      if (file.name == kFrozenFile && file.size_bytes == wanted.size_bytes && file.xxh128 == wanted.xxh128)
        return entry.folder / file.name;
    }
  }
  return std::nullopt;
}

Status require_space(const SaverOptions& options, int64_t step, uint64_t bytes) {
  const resources::Demand demand{fmt::format("checkpoint of step {}", step), bytes};
  return resources::require_disk(options.folder, std::span(&demand, 1),
                                 "free some space, or lower checkpoint.keep_last");
}

uint64_t num_bytes(std::span<const weights::TensorEntry> entries) {
  uint64_t sum = 0;
  for (const weights::TensorEntry& e : entries) sum += e.bytes.size();
  return sum;
}

enum class Sharing { Allowed, No };

struct Unfinished {
  files::Temporary folder;
  uint64_t written_bytes = 0;
};

// Data files, then manifest; each is synced, and so is the folder. Then all of it is read back. On an error
// the folder is gone at once, because the disk may be full.
Result<Unfinished> write_folder(const SaverOptions& options, const Snapshot& snapshot, const fs::path& target,
                                Sharing sharing) {
  const auto trained = entries_of(snapshot.tensors), frozen = entries_of(snapshot.frozen);
  ZT_TRY_ASSIGN(const weights::WrittenFile frozen_file, weights::sum_safetensors(kFrozenFile, frozen));
  std::optional<fs::path> shared;
  if (sharing == Sharing::Allowed) shared = find_frozen(options.folder, frozen_file);
  ZT_TRY(require_space(options, snapshot.step, num_bytes(trained) + (shared ? 0 : num_bytes(frozen))));

  ZT_TRY_ASSIGN(files::Temporary unfinished, files::Temporary::folder(target));
  const fs::path folder = unfinished.path();
  contract::Manifest manifest = describe(options, snapshot);
  ZT_TRY_ASSIGN(const weights::WrittenFile file,
                weights::write_summed_safetensors(folder / kRankFile, trained));
  add_file(manifest, kRankFile, file, trained);
  uint64_t written = file.size_bytes;
  if (!frozen.empty()) {
    std::error_code no_link;  // a file system without hard links
    if (shared) fs::create_hard_link(*shared, folder / kFrozenFile, no_link);
    if (!shared || no_link) {
      ZT_TRY(weights::write_summed_safetensors(folder / kFrozenFile, frozen));
      written += frozen_file.size_bytes;
    }
    add_file(manifest, kFrozenFile, frozen_file, frozen);
  }
  const std::string text = contract::to_json(manifest);
  ZT_TRY(files::write_atomic(folder / "manifest.json", text));
  if (Status whole = contract::verify_checkpoint(folder); !whole)
    return fail(std::move(whole.error()).with("while reading the new checkpoint back"));
  return Unfinished{std::move(unfinished), written + text.size()};
}

// What does not read back may be an earlier checkpoint's file: the second try writes its own.
Result<Unfinished> write_unfinished(const SaverOptions& options, const Snapshot& snapshot,
                                    const fs::path& target) {
  auto written = write_folder(options, snapshot, target, Sharing::Allowed);
  if (written || written.error().code != ErrorCode::Corrupt) return written;
  return write_folder(options, snapshot, target, Sharing::No);
}

// Puts `finished` in the place of `target`. A checkpoint that is there already is exchanged in one step, so
// that there is one at every moment; it goes with the temporary name that it then has.
Status put_in_place(const fs::path& finished, const fs::path& target) {
  std::error_code ec;
  if (!fs::exists(target, ec)) return files::rename_durable(finished, target);
  if (::renameat2(AT_FDCWD, finished.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    ZT_TRY(files::sync_folder(target.parent_path()));
    return remove_checkpoint(finished);
  }
  if (errno != EINVAL && errno != ENOSYS) return fail(files::errno_error("exchange", target, errno));
  // A file system that can't exchange (NFS): for a moment this step has no checkpoint.
  ZT_TRY(remove_checkpoint(target));
  return files::rename_durable(finished, target);
}

Status refuse_if_superseded(const SaverOptions& options) {
  for (const auto& entry : contract::list_checkpoints(options.folder)) {
    if (entry.generation > options.generation)
      return fail(ErrorCode::Cancelled,
                  fmt::format("launch {} has saved {} in {}: this is launch {}, which may save no more",
                              entry.generation, entry.folder.filename().string(), options.folder.string(),
                              options.generation));
  }
  return {};
}

}  // namespace

Result<uint64_t> commit(const SaverOptions& options, const Snapshot& snapshot) {
  ZT_TRY(files::make_folders(options.folder));
  ZT_TRY(refuse_if_superseded(options));
  ZT_TRY(remove_leftovers(options.folder));

  const std::string name = contract::checkpoint_name(snapshot.step);
  const fs::path target = options.folder / name;
  ZT_TRY_ASSIGN(const Unfinished unfinished, write_unfinished(options, snapshot, target));
  ZT_TRY(refuse_if_superseded(options));
  ZT_TRY(put_in_place(unfinished.folder.path(), target));
  ZT_TRY(files::write_atomic(options.folder / "latest", name + "\n"));
  return unfinished.written_bytes;
}

std::vector<int64_t> prune(const SaverOptions& options, int64_t verified_step) {
  std::vector<int64_t> removed;
  for (const auto& entry :
       expendable(contract::list_checkpoints(options.folder), options.retention, verified_step)) {
    if (Status done = remove_checkpoint(entry.folder)) {
      removed.push_back(entry.step);
    } else {
      log::warn("checkpoint", "an old checkpoint stays for now: " + done.error().text());
    }
  }
  return removed;
}

}  // namespace zt::checkpoint::internal
