// SPDX-License-Identifier: Apache-2.0
// How many ranks share what of each unit: parallel.zero_stage and parallel.shard_ranks, but for the units
// that parallel.units and parallel.keep_whole name. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/job/train_job.hpp"

namespace zt::config {

/// An entry of parallel.units, "mid_block=2" or "reference_unet=3/all".
struct UnitRule {
  std::string part;  ///< of the names of the units it is for
  int64_t stage = 0;
  bool is_among_all = false;  ///< all ranks share the unit, whatever parallel.shard_ranks
  bool is_for(std::string_view unit) const { return unit.find(part) != std::string_view::npos; }
};
/// Errors: InvalidConfig for any other text.
Result<UnitRule> parse_unit_rule(std::string_view text);

/// A unit's ZeRO stage, and how many neighbouring ranks share what that stage shares.
struct UnitSharing {
  int64_t stage = 0;
  int64_t ranks = 1;  ///< 1 with stage 0
  /// Into how many parts what is shared from `stage` on is divided.
  int64_t parts(int64_t from_stage) const { return stage >= from_stage ? ranks : 1; }
};
/// The first rule that is for the unit decides; parallel.keep_whole lowers stage 3 to 2. Requires a job that
/// passed validate().
UnitSharing sharing_of(const ParallelJob& job, std::string_view unit, int64_t ranks);

/// Of any unit: what the stage and the rules have at most.
int64_t highest_stage(const ParallelJob& job);
int64_t most_sharing(const ParallelJob& job, int64_t ranks);

}  // namespace zt::config
