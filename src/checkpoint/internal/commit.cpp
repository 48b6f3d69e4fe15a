// SPDX-License-Identifier: Apache-2.0
// See commit.hpp. Order of the writes and the reasons: docs/formats/checkpoint.md.
#include "checkpoint/internal/commit.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
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

std::string scalar_text(const std::variant<int64_t, double>& value) {
  // The alternate form always has a point or an exponent, so a reader can tell 1.0 from 1.
  if (const double* number = std::get_if<double>(&value)) return fmt::format("{:#}", *number);
  return fmt::format("{}", std::get<int64_t>(value));
}

contract::Manifest describe(const SaverOptions& options, const Snapshot& snapshot,
                            const std::vector<weights::TensorEntry>& entries,
                            const weights::WrittenFile& file) {
  contract::Manifest m;
  m.step = snapshot.step;
  m.generation = options.generation;
  m.run_id = options.run_id;
  m.config_digest = options.config_digest;
  m.written_at = clock::utc_now();
  for (const params::StateScalar& scalar : snapshot.scalars)
    m.scalars[scalar.name] = scalar_text(scalar.value);
  m.metrics = snapshot.metrics;
  m.files = {{kRankFile, file.size_bytes, file.xxh128}};
  for (const weights::TensorEntry& e : entries) {
    const int64_t numel = weights::element_count(e.shape).value_or(0);
    m.tensors.push_back({e.name, std::string(weights::name(e.dtype)), e.shape, {{0, e.name, 0, numel}}});
  }
  return m;
}

// Data file, then manifest; each is synced, and so is the folder.
Result<uint64_t> write_folder(const SaverOptions& options, const Snapshot& snapshot, const fs::path& folder) {
  ZT_TRY(files::make_folders(folder));
  std::vector<weights::TensorEntry> entries;
  for (const params::StateTensor& t : snapshot.tensors) entries.push_back(tensor::to_entry(t.name, t.value));
  ZT_TRY_ASSIGN(const weights::WrittenFile file,
                weights::write_summed_safetensors(folder / kRankFile, entries));
  const std::string manifest = contract::to_json(describe(options, snapshot, entries, file));
  ZT_TRY(files::write_atomic(folder / "manifest.json", manifest));
  return file.size_bytes + manifest.size();
}

// Puts `finished` in the place of `target`. A checkpoint that is there already is exchanged in one step, so
// that there is one at every moment, and removed after.
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

Status require_space(const SaverOptions& options, const Snapshot& snapshot) {
  const resources::Demand demand{fmt::format("checkpoint of step {}", snapshot.step), num_bytes(snapshot)};
  return resources::require_disk(options.folder, std::span(&demand, 1),
                                 "free some space, or lower checkpoint.keep_last");
}

}  // namespace

uint64_t num_bytes(const Snapshot& snapshot) {
  uint64_t sum = 0;
  for (const params::StateTensor& t : snapshot.tensors) sum += t.value.nbytes();
  return sum;
}

Result<uint64_t> commit(const SaverOptions& options, const Snapshot& snapshot) {
  ZT_TRY(files::make_folders(options.folder));
  ZT_TRY(refuse_if_superseded(options));
  ZT_TRY(remove_leftovers(options.folder));
  ZT_TRY(require_space(options, snapshot));

  const std::string name = contract::checkpoint_name(snapshot.step);
  const fs::path unfinished = options.folder / (name + ".tmp"), target = options.folder / name;
  Result<uint64_t> bytes = write_folder(options, snapshot, unfinished);
  if (!bytes) {
    std::error_code ignored;  // at once, because the disk may be full; else the next save does it
    fs::remove_all(unfinished, ignored);
    return bytes;
  }
  ZT_TRY(refuse_if_superseded(options));
  ZT_TRY(put_in_place(unfinished, target));
  ZT_TRY(files::write_atomic(options.folder / "latest", name + "\n"));
  if (Status whole = contract::verify_checkpoint(target); !whole) {
    ZT_TRY(remove_checkpoint(target));
    return fail(std::move(whole.error()).with("while reading the new checkpoint back"));
  }
  return bytes;
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
