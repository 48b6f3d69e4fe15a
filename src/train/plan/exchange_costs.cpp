// SPDX-License-Identifier: Apache-2.0
// See exchange_costs.hpp.
#include "train/plan/exchange_costs.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "config/meaning/unit_sharing.hpp"
#include "dist/communicator.hpp"
#include "dist/units/unit_walk.hpp"
#include "exchange/rounds.hpp"
#include "train/plan/unit_shares.hpp"

namespace zt::train {
namespace {

double divided(double amount, int64_t ranks) {
  return amount * static_cast<double>(ranks - 1) / static_cast<double>(ranks);
}

/// The ranks that a unit's gradients are summed by before copies sum theirs.
int64_t sharers_of(const config::TrainJob& job, const UnitCost& unit, int64_t ranks) {
  const config::UnitSharing sharing = config::sharing_of(job.parallel, unit.name, ranks);
  return sharing.stage == 0 ? ranks : sharing.ranks;
}

int uses_of(const UnitCost& unit) {
  return (unit.forward_flops > 0 ? 1 : 0) + (unit.backward_flops > 0 ? 1 : 0);
}

/// How often a pass gathers the values of units that ranks share.
std::map<std::string, int64_t> gathers_in_pass(const config::TrainJob& job,
                                               const std::vector<UnitCost>& units, int64_t ranks) {
  std::vector<dist::Visit> walk;
  std::vector<dist::Shared> shared;
  const auto visit = [&](const UnitCost& unit, dist::Pass pass) {
    walk.push_back({unit.name, pass});
    shared.push_back({.values = parts_of(job, unit, /*from_stage=*/3, ranks) > 1});
  };
  for (const UnitCost& unit : units)
    if (unit.forward_flops > 0) visit(unit, dist::Pass::Forward);
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit)
    if (unit->backward_flops > 0) visit(*unit, dist::Pass::Backward);
  std::map<std::string, int64_t> gathers;
  for (const dist::PlannedVisit& planned : dist::plan_walk(walk, shared))
    if (planned.gathers) ++gathers[planned.visit.unit];
  return gathers;
}

/// Of sums that are started together: what they receive, all and the largest one.
struct Received {
  double all = 0, largest = 0;
  void add(double bytes) {
    all += bytes;
    largest = std::max(largest, bytes);
  }
};

/// What they hold at once.
double held_at_once(const Received& received, Transport transport, int64_t ranks) {
  switch (transport) {
    case Transport::SharedMemory:
      return 0;
    case Transport::Gloo:
      return std::min(received.all, std::max<double>(dist::Communicator::kGlooWindowBytes, received.largest));
    case Transport::Nccl:  // one at a time, and the inner sums of its tree (dist/tree_sum.hpp)
      return received.largest * static_cast<double>(2 * ranks - 3) / static_cast<double>(ranks - 1);
  }
  return 0;
}

/// A rank's slots of segments: of the groups of all ranks, of its copy, of copies; of links to neighbours.
/// Between hosts a copy may have one.
double segment_bytes(const config::TrainJob& job, int64_t ranks, Transport transport) {
  const exchange::Layout layout;
  const bool has_copies = job.parallel.shard_ranks > 0 && job.parallel.shard_ranks < ranks,
             has_links = job.checkpoint.memory_peer && job.checkpoint.memory_every_steps > 0;
  const int on_one_host = 1 + (has_copies ? 2 : 0) + (has_links ? 2 : 0);
  const int segments = transport == Transport::Gloo ? (has_copies ? 1 : 0) : on_one_host;
  return segments * static_cast<double>(layout.slots * layout.slot_bytes);
}

}  // namespace

Sent sent_in_step(const config::TrainJob& job, const std::vector<UnitCost>& units, int64_t ranks) {
  const auto gathers = gathers_in_pass(job, units, ranks);
  const auto passes = static_cast<double>(passes_of(job, ranks));
  Sent sent;
  for (const UnitCost& unit : units) {
    const int64_t sharers = sharers_of(job, unit, ranks);
    const bool sums_whole = gradient_parts(job, unit, ranks) == 1;  // once, what a pass has touched
    const double touched =
        unit.trained > 0 ? 1 - static_cast<double>(unit.idle) / static_cast<double>(unit.trained) : 1;
    const bool shares_values = parts_of(job, unit, /*from_stage=*/3, ranks) > 1;
    const auto found = gathers.find(unit.name);
    const double gathered = found == gathers.end() ? 0 : passes * static_cast<double>(found->second);
    const bool is_alike = config::sharing_of(job.parallel, unit.name, ranks).stage == 0;
    const auto amount = [&](double trained, double frozen) {
      const double summed = sums_whole ? touched * trained : passes * trained;
      // Stage 0 gathers what it has summed, not values.
      const double values = shares_values ? gathered * (trained + frozen) : is_alike ? summed : trained;
      const double part = touched * trained / static_cast<double>(sharers);
      return divided(values + summed, sharers) +
             divided(2 * part, ranks / sharers);  // among copies, of parts
    };
    sent.elements += amount(static_cast<double>(unit.trained), static_cast<double>(unit.frozen));
    sent.bytes += amount(unit.trained_bytes, unit.frozen_bytes);
  }
  return sent;
}

// Its stages 1 and 2 reduce every gradient on all ranks, twice what a reduce-scatter sends
// (stage_1_and_2.py, use_multi_rank_bucket_allreduce), stage 2 in every pass.
double deepspeed_elements(const config::TrainJob& job, const std::vector<UnitCost>& units, int64_t ranks,
                          int64_t trained) {
  const auto passes = static_cast<double>(passes_of(job, ranks)), psi = static_cast<double>(trained);
  double used = 0;
  for (const UnitCost& unit : units) used += uses_of(unit) * static_cast<double>(unit.trained + unit.frozen);
  switch (job.parallel.zero_stage) {
    case 0:
      return divided(2 * psi, ranks);
    case 1:
      return divided(3 * psi, ranks);
    case 2:
      return divided((2 * passes + 1) * psi, ranks);
    default:
      return divided(passes * (used + psi), ranks);
  }
}

double exchange_memory(const config::TrainJob& job, const std::vector<UnitCost>& units, int64_t ranks,
                       Transport transport, double freed) {
  if (ranks == 1) return 0;
  Received of_whole, of_copies;
  double in_walk = 0;  // the largest sum of a unit whose gradients are taken away when its work ends
  for (const UnitCost& unit : units) {
    const int64_t sharers = sharers_of(job, unit, ranks);
    const double received = divided(unit.trained_bytes, sharers);
    if (gradient_parts(job, unit, ranks) > 1)
      in_walk = std::max(in_walk, received);
    else
      of_whole.add(received);
    of_copies.add(divided(unit.trained_bytes / static_cast<double>(sharers), ranks / sharers));
  }
  const double after_passes =
      std::max(held_at_once(of_whole, transport, ranks), held_at_once(of_copies, transport, ranks));
  const Received of_slots{.all = 2 * in_walk, .largest = in_walk};  // two have gradients under way
  return segment_bytes(job, ranks, transport) + held_at_once(of_slots, transport, ranks) +
         std::max(0.0, after_passes - freed);
}

}  // namespace zt::train
