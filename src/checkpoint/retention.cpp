// SPDX-License-Identifier: Apache-2.0
// See retention.hpp.
#include "checkpoint/retention.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <set>
#include <string>
#include <tuple>

#include "base/files/files.hpp"
#include "contract/manifest.hpp"

namespace zt::checkpoint {
namespace {

namespace fs = std::filesystem;
using contract::CheckpointEntry;

Status remove_folder(const fs::path& folder) {
  std::error_code ec;
  fs::remove_all(folder, ec);
  if (ec) return fail(files::errno_error("remove", folder, ec.value()));
  return files::sync_folder(folder.parent_path());
}

}  // namespace

std::vector<CheckpointEntry> newest_first(std::vector<CheckpointEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const CheckpointEntry& a, const CheckpointEntry& b) {
    return std::tuple(a.defect.has_value(), a.generation, a.step) >
           std::tuple(b.defect.has_value(), b.generation, b.step);
  });
  return entries;
}

std::vector<CheckpointEntry> best_first(std::vector<CheckpointEntry> entries) {
  const auto loss = [](const CheckpointEntry& e) { return e.metrics.at(contract::kValidationLoss); };
  std::erase_if(entries, [&](const CheckpointEntry& e) {
    return e.defect || !e.metrics.count(contract::kValidationLoss) || !std::isfinite(loss(e));
  });
  entries = newest_first(std::move(entries));
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const CheckpointEntry& a, const CheckpointEntry& b) { return loss(a) < loss(b); });
  return entries;
}

std::vector<CheckpointEntry> expendable(std::vector<CheckpointEntry> entries, const Retention& retention,
                                        int64_t verified_step) {
  std::set<int64_t> kept = {verified_step};
  const auto keep = [&](const std::vector<CheckpointEntry>& order, int64_t count) {
    const auto n = std::min(order.size(), static_cast<size_t>(std::max<int64_t>(0, count)));
    for (size_t i = 0; i < n; ++i) kept.insert(order[i].step);
  };
  std::erase_if(entries, [](const CheckpointEntry& e) { return e.defect.has_value(); });
  keep(newest_first(entries), std::max<int64_t>(1, retention.keep_last));
  keep(best_first(entries), retention.keep_best);
  std::vector<CheckpointEntry> epochs = newest_first(entries);
  std::erase_if(epochs, [](const CheckpointEntry& e) { return !e.metrics.count(contract::kEpoch); });
  keep(epochs, retention.keep_epochs);
  std::erase_if(entries, [&](const CheckpointEntry& e) { return kept.count(e.step) != 0; });
  return entries;
}

Status remove_checkpoint(const fs::path& folder) {
  const fs::path manifest = folder / "manifest.json";
  if (::unlink(manifest.c_str()) != 0 && errno != ENOENT)
    return fail(files::errno_error("remove", manifest, errno));
  ZT_TRY(files::sync_folder(folder));
  return remove_folder(folder);
}

Status remove_leftovers(contract::CheckpointFolder& checkpoints) {
  files::remove_leftovers(checkpoints.path());
  for (const CheckpointEntry& entry : checkpoints.list())
    if (files::is_absent(entry.folder / "manifest.json")) ZT_TRY(remove_folder(entry.folder));
  return {};
}

}  // namespace zt::checkpoint
