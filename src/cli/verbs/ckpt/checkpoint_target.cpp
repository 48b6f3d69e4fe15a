// SPDX-License-Identifier: Apache-2.0
// See checkpoint_target.hpp.
#include "cli/verbs/ckpt/checkpoint_target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "cli/output/output.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {

namespace fs = std::filesystem;

namespace {

/// As a tab completes it: RUN/checkpoints/.
bool is_folder_of_checkpoints(const fs::path& target) {
  std::error_code ec;
  return target.filename() == "checkpoints" && fs::exists(target.parent_path() / "identity.json", ec);
}

fs::path without_slash(const fs::path& target) {
  return target.has_filename() ? target : target.parent_path();
}

/// Says which damaged ones it passes over.
Result<contract::CheckpointEntry> newest_of(const contract::RunFolder& run) {
  const auto entries = contract::list_checkpoints(run.checkpoints());
  const auto newest = std::ranges::max_element(entries, {}, [](const contract::CheckpointEntry& entry) {
    return std::tuple(!entry.defect, entry.generation, entry.step);
  });
  if (newest == entries.end())
    return fail(ErrorCode::NotFound, fmt::format("{} has no checkpoints", run.path().string()));
  for (const contract::CheckpointEntry& entry : entries)
    if (entry.defect && &entry != &*newest)
      note(fmt::format("{} is damaged, taking {}: {}", entry.folder.filename().string(),
                       newest->folder.filename().string(), entry.defect->text()));
  return *newest;
}

}  // namespace

bool is_checkpoint_folder(const fs::path& target) {
  std::error_code ec;
  return fs::is_directory(target, ec) && !fs::exists(target / "identity.json", ec) &&
         !fs::exists(target / "checkpoints", ec) && !is_folder_of_checkpoints(without_slash(target));
}

std::string run_meant_by(const std::string& target) {
  const fs::path folder = without_slash(target);
  return is_folder_of_checkpoints(folder) ? folder.parent_path().string() : target;
}

Result<archive::StoredCheckpoint> open_checkpoint(const std::string& runs_folder, const std::string& target) {
  if (is_checkpoint_folder(target)) return archive::StoredCheckpoint::open(target);
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(runs_folder, run_meant_by(target)));
  constexpr int kLooks = 5;  // a training that goes on may remove what was listed
  for (int look = 1;; ++look) {
    ZT_TRY_ASSIGN(const contract::CheckpointEntry newest, newest_of(run));
    auto opened = archive::StoredCheckpoint::open(newest.folder);
    if (opened || look == kLooks || !contract::was_removed(newest)) return opened;
  }
}

}  // namespace zt::cli
