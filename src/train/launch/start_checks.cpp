// SPDX-License-Identifier: Apache-2.0
// See start_checks.hpp.
#include "train/launch/start_checks.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/files/files.hpp"
#include "config/paths.hpp"
#include "models/encoder_shapes.hpp"
#include "models/run_model.hpp"
#include "prepare/budget.hpp"
#include "tensor/device_memory.hpp"
#include "train/plan/budget.hpp"
#include "train/plan/plan.hpp"

namespace zt::train {
namespace {

namespace fs = std::filesystem;

bool share_a_disk(const fs::path& a, const fs::path& b) {
  struct stat of_a {
  }, of_b{};
  return ::stat(a.c_str(), &of_a) == 0 && ::stat(b.c_str(), &of_b) == 0 && of_a.st_dev == of_b.st_dev;
}

/// Frames that all steps together can ask for: of each sample its targets and its reference.
int64_t most_frames(const config::TrainJob& job, const data::SamplePlanOptions& plan) {
  const double samples = static_cast<double>(job.max_train_steps) * static_cast<double>(job.data.train_bs) *
                         static_cast<double>(job.lanes) *
                         static_cast<double>(job.optimizer.gradient_accumulation_steps);
  constexpr double kAny = 1e15;
  if (job.cache.build_ahead) return static_cast<int64_t>(kAny);
  return static_cast<int64_t>(std::min(kAny, samples * (plan.num_frames + 1)));
}

/// Checkpoints beside the run, and the cache where it is: on one disk they add up.
Status check_disk(const Setup& setup, const contract::RunFolder& run, const params::ParamTable& table,
                  const prepare::EncoderShapes& encoders) {
  const config::TrainJob& job = setup.job;
  const auto num_clips = static_cast<int64_t>(setup.clips.clips.size());
  std::vector<resources::Demand> demands =
      disk_demands(job, table, {num_clips, files::used_bytes(run.checkpoints())});
  if (!setup.cache) return resources::require_disk(run.path(), demands, kDiskAdvice);
  const resources::Demand entries = prepare::cache_demand(
      job.cache, encoders, setup.clips, setup.plan, most_frames(job, setup.plan), setup.cache->stats().bytes);
  if (!share_a_disk(run.path(), job.cache.folder)) {
    ZT_TRY(resources::require_disk(job.cache.folder, {&entries, 1}, prepare::kCacheAdvice));
    return resources::require_disk(run.path(), demands, kDiskAdvice);
  }
  demands.push_back(entries);
  return resources::require_disk(
      run.path(), demands,
      std::string(kDiskAdvice) +
          "; for the cache, lower cache.size_limit_mib or choose another cache.folder");
}

}  // namespace

Result<std::vector<resources::Demand>> require_training_memory(const Setup& setup,
                                                               const models::NetworkConfigs& configs,
                                                               const params::ParamTable& table,
                                                               const models::LatentShape& latents,
                                                               std::span<const resources::Demand> encoders) {
  const config::TrainJob& job = setup.job;
  const int64_t ranks = setup.ranks.size();
  const RankCounts counts{ranks, setup.ranks.on_this_host()};
  const auto with_encoders = [&](std::vector<resources::Demand> demands) {
    demands.insert(demands.end(), encoders.begin(), encoders.end());
    return demands;
  };
  if (setup.device.is_cpu()) {
    std::vector<resources::Demand> demands =
        with_encoders(memory_demands(job, configs, latents.scale_factor, counts));
    ZT_TRY(resources::require_memory(demands, kMemoryAdvice));
    return demands;
  }
  ZT_TRY(tensor::require_memory(
      setup.device, with_encoders(gpu_demands(job, configs, latents.scale_factor, ranks)), kMemoryAdvice));
  ModelCosts costs = state_costs(job, table);
  costs.sample_bytes = sample_bytes(job, latents);
  std::vector<resources::Demand> demands =
      host_demands(rank_memory(job, costs, ranks, Place::Gpu).host, counts.on_this_host);
  ZT_TRY(resources::require_memory(demands, kHostAdvice));
  return demands;
}

Status check_before_encoders(const Setup& setup, const contract::RunFolder& run, const Origin& origin) {
  const config::TrainJob& job = setup.job;
  if (!setup.ranks.is_first_here() || origin.is_restart) return {};
  ZT_TRY_ASSIGN(const config::ModelJob model, models::locate_encoders(run.path(), job.model));
  ZT_TRY(config::require_encoders(model));
  ZT_TRY_ASSIGN(const prepare::EncoderShapes encoders, prepare::encoder_shapes(model));
  const int64_t scale_factor = encoders.latents.scale_factor;
  ZT_TRY(models::check_picture_size(job.data, scale_factor));
  ZT_TRY_ASSIGN(const models::NetworkConfigs configs,
                models::network_configs(job.model, encoders.latents.channels, job.stage == 2));
  ZT_TRY(models::check_guider(configs.pose_guider, scale_factor));
  if (models::needs_codec_fit(model)) {
    const resources::Demand fit = prepare::fit_demand(model, job.data, setup.clips.clips.size());
    ZT_TRY(resources::require_memory({&fit, 1}, prepare::kFitAdvice));
  }
  const params::ParamTable table = models::declare_networks(configs);
  // On a GPU each rank has its own.
  const int64_t processes = setup.device.is_cpu() ? setup.ranks.on_this_host() : 1;
  const resources::Demand weights = prepare::encoder_demand(encoders, processes);
  ZT_TRY(require_training_memory(setup, configs, table, encoders.latents, {&weights, 1}));
  return setup.ranks.is_first() ? check_disk(setup, run, table, encoders) : Status();
}

}  // namespace zt::train
