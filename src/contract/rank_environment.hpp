// SPDX-License-Identifier: Apache-2.0
// Where torchrun, accelerate, deepspeed, mpirun or srun put a process among the ranks of its launch, read
// from the variables that they set: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT,
// TORCHELASTIC_RUN_ID and TORCHELASTIC_RESTART_COUNT; or, where neither RANK nor WORLD_SIZE is set, Open
// MPI's OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_SIZE and PMIX_NAMESPACE; or,
// without those, SLURM_PROCID, SLURM_NTASKS, SLURM_STEP_NUM_TASKS, SLURM_LOCALID, SLURM_NODEID,
// SLURM_STEP_NODELIST, SLURM_JOB_NODELIST, SLURM_JOB_ID, SLURM_STEP_ID, SLURM_RESTART_COUNT and
// SLURMD_NODENAME. They say who a rank is, not how ranks meet: MASTER_PORT belongs to torchrun's own store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract {

using Environment = std::map<std::string, std::string, std::less<>>;
/// This process's.
Environment environment_of_process();

struct EnvironmentPlace {
  int64_t rank = 0;
  int64_t ranks = 1;
  bool is_one_host = false;  ///< all ranks are on one host, as far as the launcher tells
  bool is_child = false;     ///< the launcher, or what it has on this host, is this process's parent
  std::string host;          ///< what the launcher calls this rank's host; empty if it does not say
  std::string first_host;    ///< what others call the first rank's host; empty if not known
  /// Equal for the ranks of one launch, and for no other launch of a run that is going on.
  std::string launch;
  std::string origin;  ///< for messages: "RANK=1 and WORLD_SIZE=4"
};

/// None if no launcher of several ranks set anything: a batch script's own variables (no SLURM_STEP_ID) are
/// none of a rank. Errors: InvalidArgument for variables that are half set, no numbers or at odds with each
/// other, or another MPI's, with their names, their values and what to do.
Result<std::optional<EnvironmentPlace>> place_in_environment(const Environment& environment);

/// The hosts of a Slurm node list: "n[01-03,7],m2" is n01, n02, n03, n7, m2. Errors: InvalidArgument for
/// anything else, and for more than 65536 hosts.
Result<std::vector<std::string>> expand_node_list(std::string_view list);

}  // namespace zt::contract
