// SPDX-License-Identifier: Apache-2.0
// See unit_shares.hpp.
#include "train/plan/unit_shares.hpp"

#include "config/meaning/unit_sharing.hpp"
#include "train/plan/unit_policy.hpp"

namespace zt::train {

int64_t lanes_per_rank(const config::TrainJob& job, int64_t ranks) { return (job.lanes + ranks - 1) / ranks; }

int64_t passes_of(const config::TrainJob& job, int64_t ranks) {
  return lanes_per_rank(job, ranks) * job.optimizer.gradient_accumulation_steps;
}

int64_t parts_of(const config::TrainJob& job, const UnitCost& unit, int64_t from_stage, int64_t ranks) {
  return config::sharing_of(job.parallel, unit.name, ranks).parts(from_stage);
}

int64_t gradient_parts(const config::TrainJob& job, const UnitCost& unit, int64_t ranks) {
  return adds_up_gradients(job, ranks) ? 1 : parts_of(job, unit, /*from_stage=*/2, ranks);
}

}  // namespace zt::train
