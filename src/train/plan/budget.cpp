// SPDX-License-Identifier: Apache-2.0
// See budget.hpp.
#include "train/plan/budget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "base/text/text.hpp"
#include "config/meaning/unit_sharing.hpp"
#include "train/pass/run_rules.hpp"
#include "train/plan/unit_policy.hpp"
#include "train/plan/unit_shares.hpp"

namespace zt::train {
namespace {

constexpr uint64_t kRoomForSamples = uint64_t{64} << 20;

std::string count_text(int64_t elements, double bytes) {
  const double each = elements > 0 ? bytes / static_cast<double>(elements) : 0;
  return fmt::format("{} x {:.3g} B", elements, each);
}

/// The terms of a rank that are not 0, times `ranks`.
std::vector<resources::Demand> demands_of(const config::TrainJob& job, const ModelCosts& costs,
                                          const RankMemory& memory, int64_t ranks) {
  const std::string times = ranks > 1 ? fmt::format(" x {} ranks", ranks) : "";
  std::vector<resources::Demand> demands;
  const auto add = [&](const std::string& what, double bytes) {
    if (bytes > 0)
      demands.push_back({what + times, static_cast<uint64_t>(bytes * static_cast<double>(ranks))});
  };
  add(fmt::format("trained weights ({})", count_text(costs.trained, memory.trained_weights)),
      memory.trained_weights);
  add(fmt::format("frozen weights ({})", count_text(costs.frozen, memory.frozen_weights)),
      memory.frozen_weights);
  add(fmt::format("gradients ({} lanes)", job.lanes), memory.gradients);
  add(fmt::format("optimizer state ({})", count_text(costs.trained, memory.optimizer_state)),
      memory.optimizer_state);
  add("averaged weights", memory.averages);
  add("activations (estimate)", memory.activations);
  add(fmt::format("samples of a step ({} micro batches)", job.optimizer.gradient_accumulation_steps),
      memory.batches);
  add("samples made ahead of their steps", memory.ahead);
  add("units being gathered and reduced", memory.slabs);
  add("exchange", memory.communication);
  return demands;
}

/// What a checkpoint holds of what trains.
uint64_t checkpoint_bytes(const config::TrainJob& job, const ModelCosts& costs) {
  const uint64_t averages =
      job.optimizer.ema_decay > 0 ? sizeof(float) * static_cast<uint64_t>(costs.trained) : 0;
  return averages + static_cast<uint64_t>(costs.stored_bytes + costs.moment_bytes);
}

/// As how many copies of it all ranks hold the state.
double copies_of(const config::TrainJob& job, const params::ParamTable& table, int64_t ranks) {
  double elements = 0, held = 0;
  for (const params::ParamInfo& info : table.params()) {
    if (info.is_buffer || !is_trainable(job, info.name)) continue;
    const auto count = static_cast<double>(info.numel());
    elements += count;
    held += count * static_cast<double>(ranks / config::sharing_of(job.parallel, info.unit, ranks).ranks);
  }
  return elements > 0 ? held / elements : 1;
}

/// Two of every rank here. Those of all ranks are as large together as two checkpoints for each copy of the
/// state.
resources::Demand two_of_all(std::string_view what, const config::TrainJob& job,
                             const params::ParamTable& table, RankCounts counts) {
  const auto [ranks, on_this_host] = counts;
  const double copies = copies_of(job, table, ranks);
  const auto of_all =
      static_cast<uint64_t>(2 * copies * static_cast<double>(checkpoint_bytes(job, state_costs(job, table))));
  const std::string share = on_this_host == ranks ? "" : fmt::format(", {} of {} ranks", on_this_host, ranks);
  return {fmt::format("{} x {:.3g}{}", what, copies, share),
          of_all / static_cast<uint64_t>(ranks) * static_cast<uint64_t>(on_this_host)};
}

/// More than any disk has rather than what is left of a product that is too large.
uint64_t product(uint64_t a, uint64_t b) {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max() / 4;
  return a > 0 && b > kMost / a ? kMost : a * b;
}

/// Checkpoints that retention leaves, the one in the making aside.
int64_t most_kept(const config::TrainJob& job, int64_t num_clips) {
  const config::CheckpointJob& rules = job.checkpoint;
  const int64_t steps = job.max_train_steps, every = rules.every_steps;
  int64_t ends_of_passes = 0;
  if (rules.every_epochs > 0)
    ends_of_passes = num_clips > 0
                         ? std::min(steps, steps * samples_per_step(job) / num_clips / rules.every_epochs)
                         : steps;
  const int64_t made = (every > 0 ? steps / every : 0) + ends_of_passes + 1;
  return std::min(made, std::min(rules.keep_last, made) + std::min(rules.keep_best, made) +
                            std::min(rules.keep_epochs, ends_of_passes));
}

}  // namespace

std::vector<resources::Demand> state_demands(const config::TrainJob& job, const params::ParamTable& table) {
  const ModelCosts costs = state_costs(job, table);
  return demands_of(job, costs, rank_memory(job, costs, /*ranks=*/1), /*ranks=*/1);
}

std::vector<resources::Demand> memory_demands(const config::TrainJob& job,
                                              const models::NetworkConfigs& configs, int64_t scale_factor,
                                              RankCounts counts) {
  const ModelCosts costs = model_costs(job, configs, scale_factor);
  const RankMemory memory =
      rank_memory(job, costs, counts.ranks, Place::Host, counts.on_this_host < counts.ranks);
  std::vector<resources::Demand> demands = demands_of(job, costs, memory, counts.on_this_host);
  if (counts.on_this_host > 1)
    demands.push_back({"processes of the other ranks",
                       static_cast<uint64_t>(memory.process * static_cast<double>(counts.on_this_host - 1))});
  return demands;
}

std::vector<resources::Demand> gpu_demands(const config::TrainJob& job, const models::NetworkConfigs& configs,
                                           int64_t scale_factor, int64_t ranks) {
  const ModelCosts costs = model_costs(job, configs, scale_factor, Place::Gpu);
  return demands_of(job, costs, rank_memory(job, costs, ranks, Place::Gpu), /*ranks=*/1);
}

std::vector<resources::Demand> host_demands(const HostMemory& of_rank, int64_t ranks) {
  std::vector<resources::Demand> demands;
  const auto add = [&](const char* what, double bytes) {
    if (bytes > 0)
      demands.push_back({fmt::format("{} x {} ranks", what, ranks),
                         static_cast<uint64_t>(bytes * static_cast<double>(ranks))});
  };
  add("optimizer state, offloaded", of_rank.optimizer_state);
  add("averaged weights, offloaded", of_rank.averages);
  add("buffers of the update, offloaded", of_rank.buffers);
  add("samples made ahead of their steps", of_rank.ahead);
  return demands;
}

resources::Demand snapshot_demand(const config::TrainJob& job, const params::ParamTable& table,
                                  RankCounts counts) {
  return two_of_all("two snapshots in memory of what trains", job, table, counts);
}

resources::Demand held_demand(const config::TrainJob& job, const params::ParamTable& table,
                              RankCounts counts) {
  return two_of_all("the same in the memory of neighbours", job, table, counts);
}

resources::Demand kept_whole_demand(const config::TrainJob& job, const models::NetworkConfigs& configs,
                                    int64_t scale_factor, double fewest_positions, int64_t ranks,
                                    int64_t ranks_here) {
  const UNetSizes sizes{configs.denoising_unet.num_levels(), scale_factor};
  double bytes = 0;
  for (const UnitCost& unit : model_costs(job, configs, scale_factor).units) {
    const auto parts = static_cast<double>(parts_of(job, unit, /*from_stage=*/3, ranks));
    if (static_cast<double>(positions_of(unit.name, job, sizes)) < fewest_positions)
      bytes += (unit.trained_bytes + unit.frozen_bytes) * (1 - 1 / parts);
  }
  return {"units kept whole (parallel.keep_whole_if_faster)",
          static_cast<uint64_t>(bytes * static_cast<double>(ranks_here))};
}

resources::Demand first_checkpoint_demand(const config::TrainJob& job, const params::ParamTable& table) {
  const ModelCosts costs = state_costs(job, table);
  return {"a checkpoint with the frozen weights",
          checkpoint_bytes(job, costs) + static_cast<uint64_t>(costs.frozen_bytes)};
}

std::vector<resources::Demand> disk_demands(const config::TrainJob& job, const params::ParamTable& table,
                                            const CheckpointsSoFar& so_far) {
  const ModelCosts costs = state_costs(job, table);
  const uint64_t one = checkpoint_bytes(job, costs);
  const auto kept = static_cast<uint64_t>(most_kept(job, so_far.num_clips) + 1);
  const uint64_t all = product(kept, one) + static_cast<uint64_t>(costs.frozen_bytes);
  const std::string there =
      so_far.held_bytes > 0 ? fmt::format(", less {} that are there", text::bytes(so_far.held_bytes)) : "";
  return {
      {fmt::format("{} checkpoints of {} and the frozen weights they share{}", kept, text::bytes(one), there),
       all - std::min(all, so_far.held_bytes)},
      {"samples, events and logs", kRoomForSamples}};
}

}  // namespace zt::train
