// SPDX-License-Identifier: Apache-2.0
// The fixed order in which a training pass works on the units of its networks, and what ranks that share the
// units' weights do about each: planned once, the same on every rank, so that what one prefetches the others
// send. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace zt::dist {

enum class Pass { Forward, Backward };

/// One unit's turn.
struct Visit {
  std::string unit;
  Pass pass = Pass::Forward;
  bool operator==(const Visit&) const = default;
};

/// What is shared of a unit: each rank has a part, and the whole is only there during a visit.
struct Shared {
  bool values = false;
  bool gradients = false;
};

struct PlannedVisit {
  Visit visit;
  Shared shared;         ///< gradients: only in the backward pass
  size_t slot = 0;       ///< that the values lie in, if they are shared
  bool gathers = false;  ///< they are not there yet
  /// The next visit whose values are shared: its gather starts while this one works. Its own place if there
  /// is none.
  size_t next = 0;
};

/// Two slots: the unit at work, and the next one on its way.
inline constexpr size_t kValueSlots = 2;

/// Units that are still in a slot are not gathered again: the first of the backward pass are the last of the
/// forward pass.
std::vector<PlannedVisit> plan_walk(const std::vector<Visit>& walk, const std::vector<Shared>& shared);

/// Equal for equal plans.
uint64_t digest(const std::vector<PlannedVisit>& plan);

}  // namespace zt::dist
