// SPDX-License-Identifier: Apache-2.0
// Which hosts train a run together, and how many ranks each has: --hosts, --hostfile and Slurm's variables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "contract/rank_environment.hpp"

namespace zt::cli {

struct HostSlots {
  std::string name;   ///< as ssh or srun know it
  int64_t slots = 1;  ///< ranks on it
  bool operator==(const HostSlots&) const = default;
};

/// "a:4,b:4"; without a number a host has one rank. Errors: InvalidArgument for anything else, and for a host
/// named twice.
Result<std::vector<HostSlots>> parse_hosts(std::string_view text);

/// DeepSpeed's and Open MPI's file: lines "HOST slots=N", blank lines and comments behind '#'. Errors:
/// InvalidArgument naming the line.
Result<std::vector<HostSlots>> parse_hostfile(std::string_view text);

/// The hosts of the Slurm allocation that `environment` belongs to, with `slots` ranks each, or with as many
/// as the job's tasks if 0. Errors: InvalidArgument outside of an allocation.
Result<std::vector<HostSlots>> hosts_of_slurm(const contract::Environment& environment, int64_t slots);

int64_t num_ranks(const std::vector<HostSlots>& hosts);

}  // namespace zt::cli
