// SPDX-License-Identifier: Apache-2.0
// What a run will take before it takes it: memory and disk as terms that add up in front of the reader.
// Memory is that of the plan (plan.hpp), here for all ranks of a host together. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "base/process/resources.hpp"
#include "config/job/train_job.hpp"
#include "models/encoder_shapes.hpp"
#include "models/network_set.hpp"
#include "params/param_table.hpp"
#include "train/plan/plan.hpp"

namespace zt::train {

/// How many ranks share the work, and how many of them one host.
struct RankCounts {
  int64_t ranks = 1;
  int64_t on_this_host = 1;
};

/// What the networks take with all that a checkpoint stores of them, and their gradients, on one rank.
std::vector<resources::Demand> state_demands(const config::TrainJob& job, const params::ParamTable& table);
/// What the networks and a step take beyond what the process holds already (libtorch, encoders, samples);
/// with several ranks, all that are here together, their processes included.
std::vector<resources::Demand> memory_demands(const config::TrainJob& job,
                                              const models::NetworkConfigs& configs, int64_t scale_factor,
                                              RankCounts counts = {});
/// What one of several ranks on GPUs takes: what its own GPU must hold.
std::vector<resources::Demand> gpu_demands(const config::TrainJob& job, const models::NetworkConfigs& configs,
                                           int64_t scale_factor, int64_t ranks);
/// What the host of so many such ranks must hold: state that is offloaded, samples made ahead.
std::vector<resources::Demand> host_demands(const HostMemory& of_rank, int64_t ranks);
/// What snapshots of the shards of the ranks here take, of which each rank keeps two.
resources::Demand snapshot_demand(const config::TrainJob& job, const params::ParamTable& table,
                                  RankCounts counts = {});
/// What the copies take that neighbours hold of them, with checkpoint.memory_peer.
resources::Demand held_demand(const config::TrainJob& job, const params::ParamTable& table,
                              RankCounts counts);
/// What ranks of one memory take more because units of fewer positions keep their weights whole
/// (unit_policy.hpp); `ranks_here`: that share the memory.
resources::Demand kept_whole_demand(const config::TrainJob& job, const models::NetworkConfigs& configs,
                                    int64_t scale_factor, double fewest_positions, int64_t ranks,
                                    int64_t ranks_here);
/// What the number and the cost of a run's checkpoints depend on beside its job.
struct CheckpointsSoFar {
  int64_t num_clips = 0;    ///< of a pass over the data; 0: unknown
  uint64_t held_bytes = 0;  ///< what its checkpoints take already
};
/// Checkpoints as retention keeps them (never more than the steps can make), one in the making, and room for
/// samples and logs: what of it is not on the disk yet.
std::vector<resources::Demand> disk_demands(const config::TrainJob& job, const params::ParamTable& table,
                                            const CheckpointsSoFar& so_far = {});

/// What an import writes: one checkpoint.
resources::Demand first_checkpoint_demand(const config::TrainJob& job, const params::ParamTable& table);

inline constexpr const char* kMemoryAdvice =
    "lower data.train_bs, data.width, data.height or data.prefetch_batches, "
    "set gradient_checkpointing: true, optimizer.use_8bit_adam: true or, on a GPU, optimizer.offload: cpu, "
    "or freeze more (`zoetrope plan` shows what each would save)";
inline constexpr const char* kHostAdvice =
    "set optimizer.use_8bit_adam: true, or optimizer.offload: none if the GPU has room (`zoetrope plan` "
    "shows both memories)";
inline constexpr const char* kDiskAdvice =
    "free space, choose another output_dir, or lower checkpoint.keep_last or keep_epochs";

}  // namespace zt::train
