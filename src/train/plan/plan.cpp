// SPDX-License-Identifier: Apache-2.0
// See plan.hpp.
#include "train/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "base/limits.hpp"
#include "config/load.hpp"
#include "config/meaning/unit_sharing.hpp"
#include "prepare/budget.hpp"
#include "train/pass/lanes.hpp"
#include "train/pass/run_rules.hpp"
#include "train/plan/exchange_costs.hpp"
#include "train/plan/unit_policy.hpp"
#include "train/plan/unit_shares.hpp"

namespace zt::train {
namespace {

/// 8-bit moments: two codes, and two absmax per block.
constexpr double k8BitStateBytes = 2 + 2 * kFloatBytes / params::kBlockElements;
/// Of a worker with libtorch and samples: 230 to 300 MB resident in the quickstart's runs.
constexpr double kProcessBytes = 300 << 20;
/// What one update reads and writes per element with fp32 moments: value, gradient, two moments read, all but
/// the gradient written; with an average, that too.
constexpr double kUpdateBytes = 28, kAverageBytes = 8;
/// That a rank keeps (exchange/snapshot_file.hpp).
constexpr double kSnapshots = 2;
/// Two pieces of offloaded state's values and gradients (optim::AdamWOptions).
constexpr double kStagingBytes = 16.0 * static_cast<double>(optim::AdamWOptions{}.piece_elements);

Place place_of(const Machine& machine) { return machine.is_host ? Place::Host : Place::Gpu; }

bool is_offloaded(const config::TrainJob& job, Place place) {
  return place == Place::Gpu && job.optimizer.offload == config::Offload::Cpu;
}

Transport transport_of(Place place, bool is_on_several_hosts) {
  if (place == Place::Gpu) return Transport::Nccl;
  return is_on_several_hosts ? Transport::Gloo : Transport::SharedMemory;
}

bool is_half(const config::TrainJob& job) {
  return job.precision.mixed_precision != config::MixedPrecision::Fp32;
}

/// Bytes of optimizer state of a parameter, per element.
double moment_bytes(const config::TrainJob& job, const params::ParamInfo& info) {
  const bool is_8bit =
      job.optimizer.use_8bit_adam && optim::state_kind_8bit(info.numel()) == optim::StateKind::Blockwise8Bit;
  return is_8bit ? k8BitStateBytes : 2 * kFloatBytes;
}

/// The share of all units' elements, trained or frozen ones, that a rank keeps where those of units from a
/// ZeRO stage on are divided. Of costs without units: as if all had the job's stage.
double kept_share(const config::TrainJob& job, const ModelCosts& costs, int64_t UnitCost::*count,
                  int64_t from_stage, int64_t ranks) {
  double all = 0, kept = 0;
  for (const UnitCost& unit : costs.units) {
    const auto elements = static_cast<double>(unit.*count);
    all += elements;
    kept += elements / static_cast<double>(parts_of(job, unit, from_stage, ranks));
  }
  if (!costs.units.empty()) return all > 0 ? kept / all : 1;
  return 1 / static_cast<double>(config::sharing_of(job.parallel, "", ranks).parts(from_stage));
}

/// Whether ranks pass their snapshots on to neighbours (peer_rule() in train/ranks/rank_groups.hpp).
bool passes_snapshots(const config::TrainJob& job, int64_t ranks) {
  return job.checkpoint.memory_peer && job.checkpoint.memory_every_steps > 0 && ranks > 1 &&
         config::most_sharing(job.parallel, ranks) == ranks;
}

/// Whether any unit's gradients are divided among ranks, or its values.
bool shares_gradients(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks) {
  return std::ranges::any_of(costs.units, [&](const UnitCost& unit) {
    return unit.trained > 0 && gradient_parts(job, unit, ranks) > 1;
  });
}
bool shares_values(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks) {
  return std::ranges::any_of(
      costs.units, [&](const UnitCost& unit) { return parts_of(job, unit, /*from_stage=*/3, ranks) > 1; });
}

/// Bytes of gradients that a rank keeps: stores of them, one for each lane; shared ones have room for one.
double gradient_bytes(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks) {
  const double share =
      adds_up_gradients(job, ranks) ? 1 : kept_share(job, costs, &UnitCost::trained, /*from_stage=*/2, ranks);
  const int64_t stores = shares_gradients(job, costs, ranks) ? 1 : lanes_per_rank(job, ranks);
  return costs.trained_bytes * share * static_cast<double>(stores);
}

/// Bytes per element.
double mean_width(double bytes, int64_t elements) {
  return elements > 0 ? bytes / static_cast<double>(elements) : 0;
}

double standing_copies(const std::vector<UnitCost>& units) {
  double bytes = 0;
  for (const UnitCost& unit : units) bytes += unit.standing_copies;
  return bytes;
}

/// The whole units that a rank holds beside its parts: two slots each (dist/units/unit_exchange.hpp), of
/// gradients that are added up also the sums on their way to the parts.
double slab_bytes(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks) {
  constexpr double kSlots = 2;
  double gradients = 0, sums = 0, values = 0;
  for (const UnitCost& unit : costs.units) {
    const double trained = unit.trained_bytes;
    if (const int64_t parts = gradient_parts(job, unit, ranks); parts > 1) {
      gradients = std::max(gradients, trained);
      if (passes_of(job, ranks) > 1) sums = std::max(sums, trained / static_cast<double>(parts));
    }
    if (parts_of(job, unit, /*from_stage=*/3, ranks) > 1)
      values = std::max(values, trained + unit.frozen_bytes);
  }
  return kSlots * (gradients + sums + values);
}

StepTime step_time(const config::TrainJob& job, const ModelCosts& costs, const Plan& plan) {
  const double ranks = static_cast<double>(plan.ranks), shared_by = plan.machine.is_host ? ranks : 1;
  double flops = 0;
  for (const UnitCost& unit : costs.units)
    flops +=
        (unit.is_recomputed && unit.backward_flops > 0 ? 2 : 1) * unit.forward_flops + unit.backward_flops;
  flops *= static_cast<double>(passes_of(job, plan.ranks));
  const double speed = is_half(job) ? plan.machine.half_flops : plan.machine.float_flops;
  const double each = kUpdateBytes + (job.optimizer.ema_decay > 0 ? kAverageBytes : 0);
  const bool is_on_host = is_offloaded(job, place_of(plan.machine));
  const double memory_speed =
      is_on_host ? kHostBytesPerS / std::min(ranks, kGpusPerHost) : plan.machine.memory_bytes_per_s;
  StepTime time;
  time.compute_s = flops * shared_by / (speed * plan.machine.efficiency);
  time.optimizer_s = each * static_cast<double>(costs.trained) * shared_by / memory_speed *
                     kept_share(job, costs, &UnitCost::trained, /*from_stage=*/1, plan.ranks);
  if (is_on_host) time.bus_s = (plan.bus.to_host + plan.bus.from_host) / plan.machine.bus_bytes_per_s;
  time.exchange_s = plan.traffic.bytes * shared_by / plan.machine.link_bytes_per_s;
  return time;
}

/// Bytes that each rank may take.
double available(const Machine& machine, int64_t ranks) {
  return machine.is_host ? machine.memory_bytes / static_cast<double>(ranks) : machine.memory_bytes;
}

std::optional<int64_t> smallest_ranks(config::TrainJob job, const ModelCosts& costs, int64_t lanes_each,
                                      const Machine& machine) {
  for (int64_t ranks = 1; ranks <= kMaxRanks; ++ranks) {
    job.lanes = lanes_each * ranks;
    if (!config::check_ranks(job, ranks)) continue;
    if (rank_memory(job, costs, ranks, place_of(machine)).total() <= available(machine, ranks)) return ranks;
  }
  return std::nullopt;
}

/// What each setting alone would leave a rank of the plan to take.
std::vector<Change> changes(const config::TrainJob& job, const models::NetworkConfigs& configs,
                            int64_t scale_factor, const Plan& plan) {
  const int64_t ranks = plan.ranks;
  using Edit = std::function<void(config::TrainJob&)>;
  std::vector<std::pair<std::string, Edit>> edits = {
      {"gradient_checkpointing=true", [](auto& j) { j.gradient_checkpointing = true; }},
      {"optimizer.use_8bit_adam=true", [](auto& j) { j.optimizer.use_8bit_adam = true; }},
      {"optimizer.offload=cpu", [](auto& j) { j.optimizer.offload = config::Offload::Cpu; }},
      {"precision.mixed_precision=bf16",
       [](auto& j) { j.precision.mixed_precision = config::MixedPrecision::Bf16; }},
      {"precision.trained_weights=bf16",
       [](auto& j) { j.precision.trained_weights = config::TrainedWeights::Bf16; }},
      {"precision.frozen_dtype=bf16",
       [](auto& j) { j.precision.frozen_dtype = config::MixedPrecision::Bf16; }},
      {fmt::format("data.train_bs={}", std::max<int64_t>(1, job.data.train_bs / 2)),
       [](auto& j) { j.data.train_bs = std::max<int64_t>(1, j.data.train_bs / 2); }}};
  for (int64_t stage = job.parallel.zero_stage + 1; stage <= 3 && ranks > 1; ++stage)
    edits.emplace_back(fmt::format("parallel.zero_stage={}", stage),
                       [=](auto& j) { j.parallel.zero_stage = stage; });
  edits.emplace_back("parallel.accumulation=parts",
                     [](auto& j) { j.parallel.accumulation = config::Accumulation::Parts; });
  std::vector<Change> out;
  for (const auto& [setting, edit] : edits) {
    config::TrainJob changed = job;
    edit(changed);
    if (!config::check(changed)) continue;  // not a value that a run may have
    const ModelCosts costs = model_costs(changed, configs, scale_factor, place_of(plan.machine));
    const double needed = rank_memory(changed, costs, ranks, place_of(plan.machine)).total();
    if (needed < plan.memory.total()) out.push_back({setting, needed});
  }
  std::ranges::sort(out, {}, &Change::needed);
  return out;
}

// deepspeed/runtime/zero/stage_1_and_2.py and stage3.py, estimate_zero*_model_states_mem_needs: 18 bytes of
// 16- and 32-bit states per parameter, shared; whole 16-bit weights, or the largest layer's. A host holds the
// model in fp32 for each of its GPUs, or with stage 3 (zero.Init) the largest layer; offloaded, all but
// 16-bit weights. 1.5 times that because of buffers.
void estimate_as_deepspeed(bool offloads, Plan& plan) {
  constexpr double kBuffers = 1.5;
  const auto all = static_cast<double>(plan.costs.trained + plan.costs.frozen),
             ranks = static_cast<double>(plan.ranks), hosts = std::ceil(ranks / kGpusPerHost),
             on_host = std::min(ranks, static_cast<double>(kGpusPerHost));
  const double layer = 4 * static_cast<double>(plan.costs.largest_layer);
  plan.deepspeed_stage2 = {2 * all + 18 * all / ranks, 4 * all * on_host * kBuffers};
  plan.deepspeed_stage3 = {layer + 18 * all / ranks, layer * on_host * kBuffers};
  if (!offloads) return;
  plan.deepspeed_stage2 = {2 * all, all * std::max(4 * ranks, 16.0) * kBuffers};
  plan.deepspeed_stage3 = {layer + 2 * all / ranks, 16 * all / hosts * kBuffers};
}

}  // namespace

ModelCosts state_costs(const config::TrainJob& job, const params::ParamTable& table) {
  const params::PlacementRule placement = placement_rule(job, table);
  ModelCosts costs;
  std::map<std::string, int64_t> layers;
  for (const params::ParamInfo& info : table.params()) {
    const bool trains = !info.is_buffer && is_trainable(job, info.name);
    (trains ? costs.trained : costs.frozen) += info.numel();
    const auto elements = static_cast<double>(info.numel());
    const at::ScalarType kept = info.is_buffer ? at::kFloat : placement(info).dtype;
    const double bytes = elements * static_cast<double>(at::elementSize(kept));
    (trains ? costs.trained_bytes : costs.frozen_bytes) += bytes;
    if (trains) {
      const bool has_master =
          kept != at::kFloat && job.precision.trained_weights == config::TrainedWeights::Bf16;
      costs.moment_bytes += moment_bytes(job, info) * elements;
      costs.master_bytes += has_master ? kFloatBytes * elements : 0;
      costs.stored_bytes += has_master ? kFloatBytes * elements : bytes;
    }
    int64_t& layer = layers[info.name.substr(0, info.name.rfind('.'))];
    layer += info.numel();
    costs.largest_layer = std::max(costs.largest_layer, layer);
  }
  return costs;
}

namespace {

// Files that can't be read are somebody else's to report.
double encoder_bytes(const config::ModelJob& model) {
  const auto shapes = prepare::encoder_shapes(model);
  return shapes ? static_cast<double>(prepare::encoder_demand(*shapes).bytes) : 0;
}

double ahead_bytes(const config::TrainJob& job, const ModelCosts& costs, int64_t lanes) {
  if (costs.sample_bytes == 0) return 0;
  const auto of_step = static_cast<uint64_t>(samples_per_step(job) / job.lanes * lanes);
  return static_cast<double>(prefetched_samples(job, costs.sample_bytes, of_step)) *
         static_cast<double>(costs.sample_bytes);
}

}  // namespace

ModelCosts model_costs(const config::TrainJob& job, const models::NetworkConfigs& configs,
                       int64_t scale_factor, Place place) {
  const params::ParamTable table = models::declare_networks(configs);
  ModelCosts costs = state_costs(job, table);
  costs.encoder_bytes = encoder_bytes(job.model);
  costs.sample_bytes =
      sample_bytes(job, {.channels = configs.denoising_unet.in_channels, .scale_factor = scale_factor});
  costs.units = unit_costs(job, table, configs, scale_factor, place);
  const auto frames = static_cast<double>(job.stage == 2 ? job.data.n_sample_frames : 1),
             pixels = static_cast<double>(job.data.width * job.data.height),
             latents = static_cast<double>(configs.denoising_unet.in_channels) * pixels /
                       static_cast<double>(scale_factor * scale_factor);
  costs.item_bytes = kFloatBytes * (frames * (3 * pixels + 2 * latents) + latents);
  return costs;
}

double RankMemory::total() const {
  return trained_weights + frozen_weights + gradients + optimizer_state + averages + activations + batches +
         ahead + slabs + communication + encoders + process;
}

RankMemory rank_memory(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks, Place place,
                       bool is_on_several_hosts) {
  const double trained = costs.trained_bytes;
  const auto share = [&](int64_t UnitCost::*count, int64_t from_stage) {
    return kept_share(job, costs, count, from_stage, ranks);
  };
  const double of_state = share(&UnitCost::trained, 1);
  const int64_t lanes = lanes_per_rank(job, ranks);
  const auto threads = static_cast<int64_t>(threads_of_rank(job.threads, ranks));
  // Lanes take turns where each needs the units brought to it, or their gradients taken away, and on a GPU.
  const bool shares_units = shares_values(job, costs, ranks) || shares_gradients(job, costs, ranks);
  const bool takes_turns = shares_units || place == Place::Gpu;
  const int64_t side_by_side = takes_turns ? 1 : divide_threads(lanes, threads).side_by_side;
  RankMemory memory;
  memory.trained_weights = trained * share(&UnitCost::trained, 3);
  memory.frozen_weights = costs.frozen_bytes * share(&UnitCost::frozen, 3);
  memory.gradients = gradient_bytes(job, costs, ranks);
  memory.optimizer_state = (costs.moment_bytes + costs.master_bytes) * of_state;
  memory.averages =
      job.optimizer.ema_decay > 0 ? kFloatBytes * static_cast<double>(costs.trained) * of_state : 0;
  const bool copies_stand = place == Place::Gpu && is_half(job) && !shares_units;
  memory.activations = peak_activations(costs.units, copies_stand) * static_cast<double>(side_by_side);
  memory.batches = costs.item_bytes *
                   static_cast<double>(job.data.train_bs * job.optimizer.gradient_accumulation_steps * lanes);
  memory.ahead = ahead_bytes(job, costs, lanes);
  memory.slabs = slab_bytes(job, costs, ranks);
  memory.communication =
      exchange_memory(job, costs.units, ranks, transport_of(place, is_on_several_hosts),
                      memory.activations - (copies_stand ? standing_copies(costs.units) : 0));
  memory.encoders = costs.encoder_bytes;
  memory.process = kProcessBytes;
  memory.staging = (costs.stored_bytes + costs.moment_bytes) * of_state + memory.averages;
  memory.snapshots = job.checkpoint.memory_every_steps > 0 ? kSnapshots * memory.staging : 0;
  memory.held = passes_snapshots(job, ranks) ? memory.snapshots : 0;
  if (place == Place::Gpu) memory.host.ahead = std::exchange(memory.ahead, 0);
  if (is_offloaded(job, place)) {
    memory.host.optimizer_state = std::exchange(memory.optimizer_state, 0);
    memory.host.averages = std::exchange(memory.averages, 0);
    memory.host.buffers = kStagingBytes;
  }
  return memory;
}

BusTraffic bus_traffic(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks, Place place) {
  if (!is_offloaded(job, place)) return {};
  const double share = kept_share(job, costs, &UnitCost::trained, /*from_stage=*/1, ranks),
               with_copies = costs.master_bytes * kHalfBytes / kFloatBytes;
  return {.to_host = (2 * costs.trained_bytes - with_copies) * share,
          .from_host = costs.trained_bytes * share};
}

Traffic step_traffic(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks) {
  Traffic traffic;
  const Sent sent = sent_in_step(job, costs.units, ranks);
  traffic.elements = sent.elements;
  traffic.bytes = sent.bytes;
  traffic.element_bytes =
      sent.elements > 0 ? sent.bytes / sent.elements : mean_width(costs.trained_bytes, costs.trained);
  if (passes_snapshots(job, ranks))
    traffic.snapshot_bytes =
        rank_memory(job, costs, ranks).staging / static_cast<double>(job.checkpoint.memory_every_steps);
  traffic.deepspeed_elements = deepspeed_elements(job, costs.units, ranks, costs.trained);
  return traffic;
}

Plan outline_plan(const config::TrainJob& job, const models::NetworkConfigs& configs, int64_t scale_factor,
                  int64_t ranks, const Machine& machine, bool is_on_several_hosts) {
  Plan plan{.ranks = ranks, .lanes_per_rank = lanes_per_rank(job, ranks), .machine = machine};
  plan.costs = model_costs(job, configs, scale_factor, place_of(machine));
  plan.memory = rank_memory(job, plan.costs, ranks, place_of(machine), is_on_several_hosts);
  plan.traffic = step_traffic(job, plan.costs, ranks);
  plan.bus = bus_traffic(job, plan.costs, ranks, place_of(machine));
  plan.time = step_time(job, plan.costs, plan);
  plan.available = available(machine, ranks);
  plan.fits = plan.memory.total() <= plan.available;
  estimate_as_deepspeed(is_offloaded(job, place_of(machine)), plan);
  return plan;
}

Plan make_plan(const config::TrainJob& job, const models::NetworkConfigs& configs, int64_t scale_factor,
               int64_t ranks, const Machine& machine) {
  Plan plan = outline_plan(job, configs, scale_factor, ranks, machine);
  plan.smallest_ranks = smallest_ranks(job, plan.costs, plan.lanes_per_rank, machine);
  plan.changes = changes(job, configs, scale_factor, plan);
  return plan;
}

}  // namespace zt::train
