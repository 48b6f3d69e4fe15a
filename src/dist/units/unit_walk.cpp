// SPDX-License-Identifier: Apache-2.0
// See unit_walk.hpp.
#include "dist/units/unit_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/hash.hpp"

namespace zt::dist {

std::vector<PlannedVisit> plan_walk(const std::vector<Visit>& walk, const std::vector<Shared>& shared) {
  std::vector<PlannedVisit> plan;
  std::array<std::string, kValueSlots> holds;
  size_t slot = 0;
  for (size_t i = 0; i < walk.size(); ++i) {
    PlannedVisit planned{walk[i], shared[i], 0, false, i};
    planned.shared.gradients = shared[i].gradients && walk[i].pass == Pass::Backward;
    if (planned.shared.values) {
      const auto found = std::find(holds.begin(), holds.end(), walk[i].unit);
      planned.gathers = found == holds.end();
      // The visit before may still be at work in its slot.
      slot = planned.gathers ? (slot + 1) % kValueSlots : static_cast<size_t>(found - holds.begin());
      holds[slot] = walk[i].unit;
      planned.slot = slot;
    }
    plan.push_back(std::move(planned));
  }
  size_t next = walk.size();
  for (size_t i = walk.size(); i-- > 0;) {
    plan[i].next = next == walk.size() ? i : next;
    if (plan[i].shared.values) next = i;
  }
  return plan;
}

uint64_t digest(const std::vector<PlannedVisit>& plan) {
  std::string text;
  for (const PlannedVisit& p : plan) {
    text += fmt::format("{} {} {} {} {} {}\n", p.visit.unit, static_cast<int>(p.visit.pass), p.shared.values,
                        p.shared.gradients, p.slot, p.gathers);
  }
  return hash::xxh64(text);
}

}  // namespace zt::dist
