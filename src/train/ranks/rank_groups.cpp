// SPDX-License-Identifier: Apache-2.0
// See rank_groups.hpp.
#include "train/ranks/rank_groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/meaning/unit_sharing.hpp"

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

PeerRule peer_rule(std::span<const dist::Member> members, const config::ParallelJob& job) {
  PeerRule rule{.ranks = static_cast<int64_t>(members.size())};
  if (rule.ranks == 1) return rule;
  int64_t of_host = 0;  // the most on one; they are neighbours
  for (const dist::Member& member : members)
    of_host = std::max<int64_t>(of_host, std::ranges::count(members, member.host, &dist::Member::host));
  const int64_t wanted = of_host == rule.ranks ? 1 : of_host;
  const int64_t sharing = config::most_sharing(job, rule.ranks);
  rule.are_twins = sharing < rule.ranks;
  const int64_t step = rule.are_twins ? sharing : 1;  // from a rank to the next that may hold for it
  rule.distance = (wanted + step - 1) / step * step % rule.ranks;
  if (rule.distance == 0) rule.distance = step;
  return rule;
}

Status link_peers(RankGroups& groups, const PeerRule& rule, const dist::GroupOptions& options,
                  clock::Deadline deadline) {
  const auto link = [&](int64_t owner) {
    dist::GroupOptions pair = options;
    pair.name = fmt::format("peers.{}", owner);
    pair.rank = owner == options.rank ? 0 : 1;
    pair.size = 2;
    pair.device = at::kCPU;
    return dist::form_group(pair, deadline);
  };
  std::array<int64_t, 2> owners{options.rank, rule.ward(options.rank)};
  std::ranges::sort(owners, {}, [&](int64_t owner) { return rule.place(owner); });
  for (const int64_t owner : owners) {
    ZT_TRY_ASSIGN((owner == options.rank ? groups.to_holder : groups.from_ward), link(owner));
  }
  return {};
}

}  // namespace zt::train
