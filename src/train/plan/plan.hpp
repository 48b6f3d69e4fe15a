// SPDX-License-Identifier: Apache-2.0
// What a run takes and costs on so many ranks before it is started: memory per rank by kind, bytes exchanged
// and time per step, what to change where it does not fit, and DeepSpeed's own estimate. Pure: from the
// configuration, the parameter table and a machine's figures. The memory check before a run (budget.hpp) adds
// up the same numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/process/resources.hpp"
#include "config/job/train_job.hpp"
#include "models/network_set.hpp"
#include "params/param_table.hpp"
#include "train/plan/machine.hpp"
#include "train/plan/place.hpp"
#include "train/plan/unit_costs.hpp"

namespace zt::train {

/// A model's sizes as plans use them.
struct ModelCosts {
  int64_t trained = 0, frozen = 0;             ///< elements, without padding
  int64_t largest_layer = 0;                   ///< elements of the largest weight with its bias
  double trained_bytes = 0, frozen_bytes = 0;  ///< as kept, in their own types
  double moment_bytes = 0;                     ///< of the optimizer, all ranks together
  double master_bytes = 0;                     ///< fp32 copies of bf16 weights, likewise
  double stored_bytes = 0;                     ///< of trained weights in a checkpoint
  double item_bytes = 0;                       ///< of a sample in a batch: pose pictures, latents, noise
  double encoder_bytes = 0;                    ///< codec and image encoder, fp32
  int64_t sample_bytes = 0;                    ///< of a sample made ahead of its step; 0: not known
  std::vector<UnitCost> units;
};
/// Without the units: what is known of the state alone.
ModelCosts state_costs(const config::TrainJob& job, const params::ParamTable& table);
ModelCosts model_costs(const config::TrainJob& job, const models::NetworkConfigs& configs,
                       int64_t scale_factor, Place place = Place::Host);

/// Bytes that a rank on a GPU takes of its host's memory.
struct HostMemory {
  double optimizer_state = 0;
  double averages = 0;
  double buffers = 0;  ///< pinned, for what a step brings there and back
  double ahead = 0;    ///< samples made ahead of their steps
  double total() const { return optimizer_state + averages + buffers + ahead; }
};

/// Bytes of one rank by kind; 0 where there is none.
struct RankMemory {
  double trained_weights = 0;
  double frozen_weights = 0;
  double gradients = 0;
  double optimizer_state = 0;
  double averages = 0;
  double activations = 0;    ///< copies of weights in the 16-bit type included
  double batches = 0;        ///< a step's samples: all lanes and micro batches of it
  double ahead = 0;          ///< samples made ahead of their steps; on a GPU the host's
  double slabs = 0;          ///< whole units' gradients (ZeRO 2) and values (3) while they are worked on
  double communication = 0;  ///< segments that the ranks of a host exchange through; what is being received
  double encoders = 0;       ///< codec and image encoder, whole on every rank
  double process = 0;        ///< libtorch and what it sets up
  double staging = 0;    ///< copy of the state while a checkpoint is written; left out where memory is short
  double snapshots = 0;  ///< host memory: two of this rank; left out where memory is short
  double held = 0;       ///< host memory: two of a neighbour, likewise
  HostMemory host = {};
  /// Without staging, snapshots and the host's.
  double total() const;
};
/// On several hosts ranks receive gradients into memory of their own; on one, in GPUs alone.
RankMemory rank_memory(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks,
                       Place place = Place::Host, bool is_on_several_hosts = false);

/// What a rank sends in a step; it receives as much.
struct Traffic {
  double elements = 0;
  double snapshot_bytes = 0;      ///< beside them, on average: to the neighbour that holds them
  double bytes = 0;               ///< of them, each in its type
  double element_bytes = 0;       ///< of those sent, on average
  double deepspeed_elements = 0;  ///< what DeepSpeed sends at the same stage: see docs/plan.md
};
Traffic step_traffic(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks);

/// Bytes between a rank's GPU and its host in a step, where the optimizer's state is offloaded.
struct BusTraffic {
  double to_host = 0;    ///< gradients, and values that have no fp32 copy there
  double from_host = 0;  ///< new values
};
BusTraffic bus_traffic(const config::TrainJob& job, const ModelCosts& costs, int64_t ranks, Place place);

struct StepTime {
  double compute_s = 0;
  double optimizer_s = 0;
  double bus_s = 0;  ///< beside the optimizer
  double exchange_s = 0;
  double total_s() const { return compute_s + std::max(optimizer_s, bus_s) + exchange_s; }
};

/// DeepSpeed's estimators of states (docs/plan.md).
struct DeepSpeedEstimate {
  double gpu = 0;   ///< bytes
  double host = 0;  ///< of each host, where optimizer state is offloaded
};

/// A change of the configuration and what a rank then needs.
struct Change {
  std::string setting;  ///< as --set wants it
  double needed = 0;
};

struct Plan {
  int64_t ranks = 1;
  int64_t lanes_per_rank = 1;
  ModelCosts costs = {};
  RankMemory memory = {};
  Traffic traffic = {};
  BusTraffic bus = {};
  StepTime time = {};
  Machine machine = {};
  double available = 0;  ///< bytes that a rank may take
  bool fits = false;
  std::optional<int64_t> smallest_ranks = {};  ///< that fit with as many lanes per rank; none up to 4096
  std::vector<Change> changes = {};            ///< each alone that lowers what a rank needs, best first
  DeepSpeedEstimate deepspeed_stage2 = {}, deepspeed_stage3 = {};
};
/// Without what it takes to look for other numbers of ranks and other settings.
Plan outline_plan(const config::TrainJob& job, const models::NetworkConfigs& configs, int64_t scale_factor,
                  int64_t ranks, const Machine& machine, bool is_on_several_hosts = false);
Plan make_plan(const config::TrainJob& job, const models::NetworkConfigs& configs, int64_t scale_factor,
               int64_t ranks, const Machine& machine);

}  // namespace zt::train
