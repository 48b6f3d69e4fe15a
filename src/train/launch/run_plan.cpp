// SPDX-License-Identifier: Apache-2.0
// See run_plan.hpp.
#include "train/launch/run_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text/text.hpp"
#include "config/meaning/unit_sharing.hpp"
#include "models/encoder_shapes.hpp"
#include "train/pass/run_rules.hpp"
#include "train/plan/plan.hpp"
#include "train/plan/unit_policy.hpp"

namespace zt::train {
namespace {

using json = nlohmann::ordered_json;
constexpr int kJsonVersion = 1;

json memory_json(const RankMemory& memory) {
  const auto whole = [](double bytes) { return static_cast<int64_t>(bytes); };
  return {{"trained_weights", whole(memory.trained_weights)},
          {"frozen_weights", whole(memory.frozen_weights)},
          {"gradients", whole(memory.gradients)},
          {"optimizer_state", whole(memory.optimizer_state)},
          {"averages", whole(memory.averages)},
          {"activations", whole(memory.activations)},
          {"batches", whole(memory.batches)},
          {"ahead", whole(memory.ahead)},
          {"slabs", whole(memory.slabs)},
          {"communication", whole(memory.communication)},
          {"encoders", whole(memory.encoders)},
          {"process", whole(memory.process)},
          {"total", whole(memory.total())},
          {"staging", whole(memory.staging)},
          {"snapshots", whole(memory.snapshots)},
          {"held_snapshots", whole(memory.held)},
          {"host_optimizer_state", whole(memory.host.optimizer_state)},
          {"host_averages", whole(memory.host.averages)},
          {"host_buffers", whole(memory.host.buffers)},
          {"host_ahead", whole(memory.host.ahead)},
          {"host_total", whole(memory.host.total())}};
}

json units_json(const std::vector<UnitCost>& units, const config::ParallelJob& job, int64_t ranks) {
  json out = json::array();
  for (const UnitCost& unit : units) {
    const config::UnitSharing sharing = config::sharing_of(job, unit.name, ranks);
    out.push_back(
        {{"name", unit.name},
         {"zero_stage", sharing.stage},
         {"sharing_ranks", sharing.ranks},
         {"trained", unit.trained},
         {"frozen", unit.frozen},
         {"kept_bytes", static_cast<int64_t>(unit.is_recomputed ? unit.inputs : unit.kept + unit.copies)},
         {"recomputed", unit.is_recomputed},
         {"forward_flops", unit.forward_flops},
         {"backward_flops", unit.backward_flops}});
  }
  return out;
}

json to_json(const Plan& plan, const config::TrainJob& job) {
  json changes = json::array();
  for (const Change& change : plan.changes)
    changes.push_back({{"setting", change.setting}, {"needed", static_cast<int64_t>(change.needed)}});
  return {{"version", kJsonVersion},
          {"ranks", plan.ranks},
          {"zero_stage", job.parallel.zero_stage},
          {"lanes_per_rank", plan.lanes_per_rank},
          {"micro_batches", job.optimizer.gradient_accumulation_steps},
          {"machine", plan.machine.name},
          {"trained", plan.costs.trained},
          {"frozen", plan.costs.frozen},
          {"memory", memory_json(plan.memory)},
          {"available", static_cast<int64_t>(plan.available)},
          {"fits", plan.fits},
          {"smallest_ranks", plan.smallest_ranks ? json(*plan.smallest_ranks) : json(nullptr)},
          {"changes", changes},
          {"traffic",
           {{"elements", plan.traffic.elements},
            {"element_bytes", plan.traffic.element_bytes},
            {"snapshot_bytes", static_cast<int64_t>(plan.traffic.snapshot_bytes)},
            {"deepspeed_elements", plan.traffic.deepspeed_elements},
            {"to_host_bytes", plan.bus.to_host},
            {"from_host_bytes", plan.bus.from_host}}},
          {"time",
           {{"compute_s", plan.time.compute_s},
            {"optimizer_s", plan.time.optimizer_s},
            {"bus_s", plan.time.bus_s},
            {"exchange_s", plan.time.exchange_s},
            {"total_s", plan.time.total_s()}}},
          {"deepspeed",
           {{"stage2", plan.deepspeed_stage2.gpu},
            {"stage3", plan.deepspeed_stage3.gpu},
            {"host_stage2", plan.deepspeed_stage2.host},
            {"host_stage3", plan.deepspeed_stage3.host}}},
          {"units", units_json(plan.costs.units, job.parallel, plan.ranks)}};
}

}  // namespace

Result<std::string> run_plan(const config::TrainJob& job, int64_t ranks, std::string_view name) {
  ZT_TRY_ASSIGN(const Machine machine, find_machine(name));
  ZT_TRY_ASSIGN(const models::LatentShape latents, models::latent_shape(job.model));
  ZT_TRY_ASSIGN(const auto configs, models::network_configs(job.model, latents.channels, job.stage == 2));
  const params::ParamTable table = models::declare_networks(configs);
  ZT_TRY(check_named_units(job.parallel, table));
  ZT_TRY(check_freeze(job, table));
  return to_json(make_plan(job, configs, latents.scale_factor, ranks, machine), job).dump();
}

Result<std::string> launch_plan(const Setup& setup) {
  const models::LatentCodec& codec = *setup.encoders.codec;
  ZT_TRY_ASSIGN(const auto configs,
                models::network_configs(setup.job.model, codec.channels(), setup.job.stage == 2));
  const int64_t ranks = setup.ranks.size();
  const Machine machine =
      setup.device.is_cpu()
          ? common_host(static_cast<int64_t>(setup.num_threads) * setup.ranks.on_this_host())
          : nearest_machine(measure_flops(setup.device, at::kBFloat16));
  const Plan plan = outline_plan(setup.job, configs, codec.scale_factor(), ranks, machine);
  const RankMemory& memory = plan.memory;
  const Traffic& traffic = plan.traffic;
  const auto size = [](double bytes) { return text::bytes(static_cast<uint64_t>(bytes)); };
  const auto each = [&](double elements) { return size(traffic.element_bytes * elements); };
  const std::string on_host =
      memory.host.total() > 0 ? fmt::format(", {} of its host's memory", size(memory.host.total())) : "";
  std::string snapshots;
  if (setup.keeps_snapshots) snapshots = "; snapshots in host memory " + size(memory.snapshots);
  if (setup.keeps_snapshots && setup.ranks.passes_snapshots())
    snapshots += fmt::format(" and {} of a neighbour, {} per step sent for them", size(memory.held),
                             size(traffic.snapshot_bytes));
  const std::string who = ranks > 1 ? fmt::format("each of {} ranks", ranks) : "the worker";
  const std::string sent = ranks > 1 ? fmt::format(" and sends {} per step (DeepSpeed: {})",
                                                   each(traffic.elements), each(traffic.deepspeed_elements))
                                     : "";
  const std::string time = fmt::format("; about {:.2g} s per step on {}", plan.time.total_s(),
                                       setup.device.is_cpu() ? "common cores" : std::string(machine.name));
  const std::string deepspeed =
      fmt::format("; DeepSpeed's estimate of states alone: {} at stage 2, {} at stage 3",
                  size(plan.deepspeed_stage2.gpu), size(plan.deepspeed_stage3.gpu));
  return fmt::format("plan: {} takes {} (weights {}, gradients {}, optimizer {}, activations {}){}{}{}{}{}",
                     who, size(memory.total()), size(memory.trained_weights + memory.frozen_weights),
                     size(memory.gradients + memory.slabs), size(memory.optimizer_state + memory.averages),
                     size(memory.activations), on_host, sent, time, snapshots, deepspeed);
}

}  // namespace zt::train
