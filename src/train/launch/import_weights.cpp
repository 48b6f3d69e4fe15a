// SPDX-License-Identifier: Apache-2.0
// See import_weights.hpp.
#include "train/launch/import_weights.hpp"

#include <utility>

#include "base/log.hpp"
#include "base/process/resources.hpp"
#include "checkpoint/saver.hpp"
#include "models/network_set.hpp"
#include "tensor/device_memory.hpp"
#include "train/pass/run_rules.hpp"
#include "train/plan/budget.hpp"
#include "train/state/cursor.hpp"
#include "train/state/model_state.hpp"

namespace zt::train {
namespace {

Result<ModelState> load(const config::TrainJob& job, const contract::RunFolder& run, at::Device device) {
  ZT_TRY(models::require_trained_weights(job.model));
  const auto seed = static_cast<uint64_t>(job.seed);
  // Opened to be checked: the networks only make sense with them.
  ZT_TRY_ASSIGN(const auto codec, models::build_codec(job.model, seed, device));
  ZT_TRY(models::build_image_encoder(job.model, seed, device));

  models::BuildOptions options;
  options.motion = job.stage == 2;
  options.for_generation = true;  // nothing of the files is left out
  options.device = device;
  ZT_TRY_ASSIGN(const models::NetworkConfigs configs,
                models::network_configs(job.model, codec->channels(), options.motion));
  const params::ParamTable table = models::declare_networks(configs);
  ZT_TRY(tensor::require_memory(device, state_demands(job, table), "import on a larger machine"));
  const resources::Demand checkpoint = first_checkpoint_demand(job, table);
  ZT_TRY(
      resources::require_disk(run.path(), {&checkpoint, 1}, "make room there, or name another --runs-dir"));
  options.placement = placement_rule(job, table);
  ZT_TRY_ASSIGN(models::NetworkSet networks, models::build_networks(job.model, codec->channels(), options));
  for (const models::LoadReport& report : networks.reports) log::info("train", report.summary());
  return make_model_state(std::move(networks), job);
}

}  // namespace

Status import_weights(const config::TrainJob& job, const contract::RunFolder& run, int64_t generation,
                      int64_t step, at::Device device, Journal& journal) {
  journal.progress(contract::Phase::Loading, "weights");
  ZT_TRY_ASSIGN(const ModelState state, load(job, run, device));
  Cursor cursor(job.schedule.num_train_timesteps);
  cursor.step = step;
  cursor.next_sample = static_cast<uint64_t>(step * samples_per_step(job));

  journal.progress(contract::Phase::Saving);
  checkpoint::Saver saver(saver_options(job, run, generation));
  saver.save_in_place(snapshot_of(state, cursor));
  ZT_TRY(saver.wait());
  for (const checkpoint::SaveResult& done : saver.take_results()) {
    ZT_TRY(done.status);
    journal.event(checkpoint::event_of(done));
  }
  contract::Progress end = journal.last_progress();
  end.phase = contract::Phase::Finished;
  end.step = step;
  end.total_steps = job.max_train_steps;
  journal.publish(end);
  return {};
}

}  // namespace zt::train
