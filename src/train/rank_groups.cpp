// SPDX-License-Identifier: Apache-2.0
// See rank_groups.hpp.
#include "train/rank_groups.hpp"

#include <fmt/format.h>

#include <utility>

namespace zt::train {

Result<RankGroups> form_groups(std::unique_ptr<dist::Communicator> world, const dist::GroupOptions& options,
                               int64_t copy_ranks, clock::Deadline deadline) {
  RankGroups groups;
  groups.world = std::move(world);
  const int ranks = options.size, size = copy_ranks == 0 ? ranks : static_cast<int>(copy_ranks);
  const auto form = [&](std::string name, int rank, int members) {
    dist::GroupOptions group = options;
    group.name = std::move(name);
    group.rank = rank;
    group.size = members;
    return dist::form_group(group, deadline);
  };
  if (!options.device.is_cpu()) {
    ZT_TRY_ASSIGN(groups.gpus, form("gpus", options.rank, ranks));
  }
  if (size == ranks) return groups;
  const int copy = options.rank / size, place = options.rank % size;
  ZT_TRY_ASSIGN(groups.copy, form(fmt::format("copy.{}", copy), place, size));
  ZT_TRY_ASSIGN(groups.replicas, form(fmt::format("replicas.{}", place), copy, ranks / size));
  return groups;
}

}  // namespace zt::train
