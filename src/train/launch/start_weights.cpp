// SPDX-License-Identifier: Apache-2.0
#include "train/launch/start_weights.hpp"

#include <fmt/format.h>

#include <string>

#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/text/text.hpp"
#include "checkpoint/reader.hpp"
#include "generate/load_run.hpp"
#include "models/load_network.hpp"

namespace zt::train {
namespace {

constexpr uint64_t kNameLimitBytes = 4096;

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

Result<std::string> choose_stage1(const config::TrainJob& job, const contract::RunFolder& run) {
  ZT_TRY_ASSIGN(const auto stage1, contract::RunFolder::open(job.model.stage1_run));
  if (const auto kept = chosen_stage1(run); kept && checkpoint::Reader::open(stage1.checkpoints() / *kept))
    return *kept;
  ZT_TRY_ASSIGN(const checkpoint::Found best, checkpoint::open_best(stage1.checkpoints()));
  for (const checkpoint::Refusal& refusal : best.refused)
    log::warn("train", fmt::format("passed over {}: {}", refusal.name, refusal.reason.text()));
  std::string name = best.reader.folder().filename().string();
  ZT_TRY(files::write_atomic(run.stage1_checkpoint(), name + "\n"));
  return name;
}

Result<std::string> chosen_stage1(const contract::RunFolder& run) {
  ZT_TRY_ASSIGN(const std::string text, files::read(run.stage1_checkpoint(), kNameLimitBytes));
  return std::string(text::trim(text));
}

Status copy_stage1(const config::TrainJob& job, const std::string& checkpoint, params::ParamStore& store) {
  ZT_TRY_ASSIGN(const generate::RunWeights weights,
                generate::copy_run_weights(job.model.stage1_run, {.checkpoint = checkpoint}, store));
  ZT_TRY(check_missing(weights));
  log::info("train", fmt::format("start weights from {}, step {}{}", weights.checkpoint.string(),
                                 weights.step, weights.is_ema ? " (EMA)" : ""));
  return {};
}

}  // namespace zt::train
