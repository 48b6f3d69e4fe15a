// SPDX-License-Identifier: Apache-2.0
// See run_plan.hpp.
#include "train/launch/run_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text/text.hpp"
#include "config/meaning/unit_sharing.hpp"
#include "models/encoder_shapes.hpp"
#include "models/run_model.hpp"
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

std::string size_text(double bytes) { return text::bytes(static_cast<uint64_t>(bytes)); }

/// What a rank holds, the terms that are not 0.
std::string terms_text(const RankMemory& memory) {
  const std::pair<const char*, double> terms[] = {{"weights", memory.trained_weights + memory.frozen_weights},
                                                  {"gradients", memory.gradients},
                                                  {"optimizer", memory.optimizer_state},
                                                  {"averages", memory.averages},
                                                  {"activations", memory.activations},
                                                  {"samples", memory.batches + memory.ahead},
                                                  {"units under way", memory.slabs},
                                                  {"exchange", memory.communication},
                                                  {"encoders", memory.encoders},
                                                  {"process", memory.process}};
  std::string out;
  for (const auto& [what, bytes] : terms)
    if (bytes > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", what, size_text(bytes));
  return out;
}

/// What it takes for a while, or of its host.
std::string beside_text(const Plan& plan, bool keeps_snapshots, bool passes_snapshots) {
  const RankMemory& memory = plan.memory;
  std::string out = fmt::format("\n  while a checkpoint is written {} more", size_text(memory.staging));
  if (memory.host.total() > 0)
    out += fmt::format("\n  of its host's memory {}", size_text(memory.host.total()));
  if (keeps_snapshots) out += "\n  snapshots in host memory " + size_text(memory.snapshots);
  if (keeps_snapshots && passes_snapshots)
    out += fmt::format(" and {} of a neighbour, {} per step sent for them", size_text(memory.held),
                       size_text(plan.traffic.snapshot_bytes));
  return out;
}

}  // namespace

Result<std::string> run_plan(const config::TrainJob& job, int64_t ranks, std::string_view machine) {
  ZT_TRY_ASSIGN(const Machine found, find_machine(machine));
  ZT_TRY_ASSIGN(const models::LatentShape latents, models::latent_shape(job.model));
  ZT_TRY_ASSIGN(const auto configs, models::network_configs(job.model, latents.channels, job.stage == 2));
  const params::ParamTable table = models::declare_networks(configs);
  ZT_TRY(check_named_units(job.parallel, table));
  ZT_TRY(check_freeze(job, table));
  return to_json(make_plan(job, configs, latents.scale_factor, ranks, found), job).dump();
}

Result<std::string> launch_plan(const Setup& setup, const contract::RunFolder& run, bool keeps_snapshots) {
  const config::TrainJob& job = setup.job;
  ZT_TRY_ASSIGN(const config::ModelJob model, models::locate_encoders(run.path(), job.model));
  ZT_TRY_ASSIGN(const models::LatentShape latents, models::latent_shape(model));
  ZT_TRY_ASSIGN(const auto configs, models::network_configs(job.model, latents.channels, job.stage == 2));
  const int64_t ranks = setup.ranks.size();
  const Machine machine =
      setup.device.is_cpu()
          ? common_host(static_cast<int64_t>(setup.num_threads) * setup.ranks.on_this_host())
          : nearest_machine(measure_flops(setup.device, at::kBFloat16));
  const Plan plan = outline_plan(job, configs, latents.scale_factor, ranks, machine,
                                 /*is_on_several_hosts=*/setup.ranks.on_this_host() < ranks);
  std::string text =
      fmt::format("plan: {} takes {}: {}", ranks > 1 ? fmt::format("each of {} ranks", ranks) : "the worker",
                  size_text(plan.memory.total()), terms_text(plan.memory));
  text += beside_text(plan, keeps_snapshots, setup.ranks.passes_snapshots());
  if (ranks > 1)
    text += fmt::format("\n  a step sends {} (DeepSpeed: {})",
                        size_text(plan.traffic.element_bytes * plan.traffic.elements),
                        size_text(plan.traffic.element_bytes * plan.traffic.deepspeed_elements));
  return text +
         fmt::format(
             "\n  about {:.2g} s per step on {}\n  DeepSpeed's estimate of states alone: {} at stage 2, "
             "{} at stage 3\n  `zoetrope plan --config {} --ranks {}` shows what would lower it",
             plan.time.total_s(), setup.device.is_cpu() ? "common cores" : std::string(machine.name),
             size_text(plan.deepspeed_stage2.gpu), size_text(plan.deepspeed_stage3.gpu),
             run.run_yaml().string(), ranks);
}

}  // namespace zt::train
