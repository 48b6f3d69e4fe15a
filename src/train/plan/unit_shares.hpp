// SPDX-License-Identifier: Apache-2.0
// Into how many parts ranks divide what they keep of a unit, and how often they work on it: what the plan's
// memory and its traffic are both made of. Pure.
#pragma once

#include <cstdint>

#include "config/job/train_job.hpp"
#include "train/plan/unit_costs.hpp"

namespace zt::train {

/// Of the rank that has most.
int64_t lanes_per_rank(const config::TrainJob& job, int64_t ranks);
/// Forward and backward passes of a rank in a step.
int64_t passes_of(const config::TrainJob& job, int64_t ranks);
/// Into how many parts what is shared of a unit from a ZeRO stage on is divided.
int64_t parts_of(const config::TrainJob& job, const UnitCost& unit, int64_t from_stage, int64_t ranks);
/// Into how many its gradients are.
int64_t gradient_parts(const config::TrainJob& job, const UnitCost& unit, int64_t ranks);

}  // namespace zt::train
