// SPDX-License-Identifier: Apache-2.0
// See rank_groups.hpp.
#include "train/rank_groups.hpp"

#include <fmt/format.h>

namespace zt::train {

Result<RankGroups> form_groups(const dist::GroupOptions& world, int64_t copy_ranks,
                               clock::Deadline deadline) {
  RankGroups groups;
  const int size = copy_ranks == 0 ? world.size : static_cast<int>(copy_ranks);
  if (world.size % size != 0)
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format("parallel.shard_ranks: {} ranks do not divide into copies of {}", world.size, size));
  ZT_TRY_ASSIGN(groups.world, dist::form_group(world, deadline));
  if (size == world.size) return groups;
  const int copy = world.rank / size, place = world.rank % size;
  const auto form = [&](std::string name, int rank, int members) {
    dist::GroupOptions options = world;
    options.name = std::move(name);
    options.rank = rank;
    options.size = members;
    return dist::form_group(options, deadline);
  };
  ZT_TRY_ASSIGN(groups.copy, form(fmt::format("copy.{}", copy), place, size));
  ZT_TRY_ASSIGN(groups.replicas, form(fmt::format("replicas.{}", place), copy, world.size / size));
  return groups;
}

}  // namespace zt::train
