// SPDX-License-Identifier: Apache-2.0
#include "train/launch/start_weights.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/text/text.hpp"
#include "contract/checkpoint_folder.hpp"
#include "generate/load_run.hpp"
#include "models/load_network.hpp"

namespace zt::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kNameLimitBytes = 4096;

/// What was kept, or "best" for the first rank where that is nothing or gone.
Result<std::string> choose(const fs::path& kept, const fs::path& checkpoints, Starter starter) {
  const bool is_first = starter == Starter::First;
  if (is_first && files::is_absent(kept)) return std::string("best");
  ZT_TRY_ASSIGN(const std::string text, files::read(kept, kNameLimitBytes));
  const std::string name(text::trim(text));
  if (!is_first) return name;
  for (const contract::CheckpointEntry& entry : contract::list_checkpoints(checkpoints))
    if (entry.folder.filename() == name) return name;
  return std::string("best");
}

/// What a stage-1 run lacks may only be the motion modules.
Status check_missing(const generate::RunWeights& weights) {
  for (const std::string& name : weights.missing) {
    if (!models::is_motion(name))
      return fail(ErrorCode::InvalidConfig, "model.stage1_run: " + weights.checkpoint.string() + " lacks " +
                                                name +
                                                "; the model section must describe the networks of that run");
  }
  return {};
}

}  // namespace

Status copy_stage1(const config::TrainJob& job, const contract::RunFolder& run, Starter starter,
                   params::ParamStore& store) {
  const fs::path stage1 = job.model.stage1_run, kept = run.stage1_checkpoint();
  ZT_TRY_ASSIGN(const auto folder, contract::RunFolder::open(stage1));
  ZT_TRY_ASSIGN(const std::string choice, choose(kept, folder.checkpoints(), starter));
  ZT_TRY_ASSIGN(const generate::RunWeights weights,
                generate::copy_run_weights(stage1, {.checkpoint = choice}, store));
  ZT_TRY(check_missing(weights));
  if (const std::string name = weights.checkpoint.filename().string(); name != choice)
    ZT_TRY(files::write_atomic(kept, name + "\n"));
  log::info("train", fmt::format("start weights from {}, step {}{}", weights.checkpoint.string(),
                                 weights.step, weights.is_ema ? " (EMA)" : ""));
  return {};
}

}  // namespace zt::train
