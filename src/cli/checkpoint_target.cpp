// SPDX-License-Identifier: Apache-2.0
// See checkpoint_target.hpp.
#include "cli/checkpoint_target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "contract/checkpoint_folder.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {

namespace fs = std::filesystem;

Result<archive::StoredCheckpoint> open_checkpoint(const std::string& runs_folder, const std::string& target) {
  std::error_code ec;
  const fs::path folder = target;
  if (fs::is_directory(folder, ec) && !fs::exists(folder / "identity.json", ec))
    return archive::StoredCheckpoint::open(folder);
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(runs_folder, target));
  const auto entries = contract::list_checkpoints(run.checkpoints());
  const auto newest = std::ranges::max_element(entries, {}, [](const contract::CheckpointEntry& entry) {
    return std::tuple(entry.generation, entry.step);
  });
  if (newest == entries.end())
    return fail(ErrorCode::NotFound, fmt::format("{} has no checkpoints", run.path().string()));
  return archive::StoredCheckpoint::open(newest->folder);
}

}  // namespace zt::cli
