// SPDX-License-Identifier: Apache-2.0
// What ranks send each other in a step, and what memory that takes beside their state, unit by unit. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "config/job/train_job.hpp"
#include "train/plan/unit_costs.hpp"

namespace zt::train {

/// What a rank's tensors go through (docs/ranks.md, "How ranks meet").
enum class Transport { SharedMemory, Gloo, Nccl };

struct Sent {
  double elements = 0;
  double bytes = 0;  ///< each in the type that it is kept in
};
/// What a rank sends in a step; it receives as much.
Sent sent_in_step(const config::TrainJob& job, const std::vector<UnitCost>& units, int64_t ranks);
/// What DeepSpeed sends at the same stage: see docs/plan.md.
double deepspeed_elements(const config::TrainJob& job, const std::vector<UnitCost>& units, int64_t ranks,
                          int64_t trained);

/// Bytes of memory for exchanges, at most. `freed`: what the passes took and gave back before gradients that
/// are kept whole are summed.
double exchange_memory(const config::TrainJob& job, const std::vector<UnitCost>& units, int64_t ranks,
                       Transport transport, double freed);

}  // namespace zt::train
