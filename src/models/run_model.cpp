// SPDX-License-Identifier: Apache-2.0
// See run_model.hpp.
#include "models/run_model.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "config/paths.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/run_folder.hpp"

namespace zt::models {

namespace fs = std::filesystem;

namespace {

struct EncoderKind {
  const char* folder;
  const char* key;
  std::string config::ModelJob::*path;
};
constexpr std::array<EncoderKind, 2> kEncoders = {
    {{kRunCodec, "vae_model_path", &config::ModelJob::vae_model_path},
     {kRunImageEncoder, "image_encoder_path", &config::ModelJob::image_encoder_path}}};

/// A run that has trained has made what no path leads to: another one would be worthless to its networks.
Status check_not_lost(const fs::path& run, const config::ModelJob& job, const EncoderKind& encoder) {
  if (run.empty() || !job.stage1_run.empty() || !(job.*encoder.path).empty()) return {};
  const auto folder = contract::RunFolder::open(run);
  if (!folder) return {};
  ZT_TRY_ASSIGN(const auto attempts, folder->attempts());
  if (attempts.empty() || contract::list_checkpoints(folder->checkpoints()).empty()) return {};
  return fail(ErrorCode::NotFound, fmt::format("{} is gone, and the run was trained with it: put a copy back",
                                               (run / encoder.folder).string()));
}

Result<std::string> locate(const fs::path& run, const config::ModelJob& job, const EncoderKind& encoder) {
  for (const fs::path& owner : {run, fs::path(job.stage1_run)}) {
    const fs::path folder = owner / encoder.folder;
    std::error_code ignored;
    if (!owner.empty() && fs::exists(folder / "config.json", ignored)) return folder.string();
  }
  ZT_TRY(check_not_lost(run, job, encoder));
  if (!(job.*encoder.path).empty() || job.stage1_run.empty()) return job.*encoder.path;
  ZT_TRY_ASSIGN(const config::TrainJob stage1, run_config(job.stage1_run));
  if (!(stage1.model.*encoder.path).empty()) return stage1.model.*encoder.path;
  return fail(
      ErrorCode::InvalidConfig,
      fmt::format("model.stage1_run: {} has no folder {}/ and its configuration no model.{}: which one "
                  "was it trained with? Set model.{}",
                  job.stage1_run, encoder.folder, encoder.key, encoder.key));
}

}  // namespace

Result<config::TrainJob> run_config(const fs::path& run) {
  ZT_TRY_ASSIGN(const auto folder, contract::RunFolder::open(run));
  ZT_TRY_ASSIGN(const fs::path file, folder.config_file(std::numeric_limits<int64_t>::max()));
  return config::thaw_run(file, folder.places());
}

Result<config::ModelJob> locate_encoders(const fs::path& run, const config::ModelJob& job) {
  config::ModelJob located = job;
  for (const EncoderKind& encoder : kEncoders) {
    ZT_TRY_ASSIGN(located.*encoder.path, locate(run, job, encoder));
  }
  return located;
}

}  // namespace zt::models
