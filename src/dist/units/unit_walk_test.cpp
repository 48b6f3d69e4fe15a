// SPDX-License-Identifier: Apache-2.0
#include "dist/units/unit_walk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace zt::dist {
namespace {

std::vector<Visit> walk_of(const std::string& forward) {
  std::vector<Visit> walk;
  for (const char unit : forward) walk.push_back({std::string(1, unit), Pass::Forward});
  for (auto unit = forward.rbegin(); unit != forward.rend(); ++unit)
    walk.push_back({std::string(1, *unit), Pass::Backward});
  return walk;
}

std::string gathers(const std::vector<PlannedVisit>& plan) {
  std::string out;
  for (const PlannedVisit& p : plan) out += p.gathers ? p.visit.unit : "-";
  return out;
}

TEST(UnitWalk, GathersWhatTheSlotsDoNotHoldAnyMore) {
  const auto plan = plan_walk(walk_of("abcd"), std::vector<Shared>(8, {true, true}));
  EXPECT_EQ(gathers(plan), "abcd--ba");
  for (size_t i = 0; i + 1 < plan.size(); ++i) {
    EXPECT_EQ(plan[i].next, i + 1);
    const bool is_same_unit = plan[i].visit.unit == plan[i + 1].visit.unit;
    EXPECT_EQ(plan[i].slot == plan[i + 1].slot, is_same_unit) << i;  // the next one may arrive meanwhile
  }
  EXPECT_EQ(plan.back().next, 7U);
}

TEST(UnitWalk, PassesOverUnitsThatAreKeptWhole) {
  std::vector<Shared> shared(6, {true, true});
  shared[1].values = shared[4].values = false;  // b
  const auto plan = plan_walk(walk_of("abc"), shared);
  EXPECT_EQ(gathers(plan), "a-c---");
  EXPECT_EQ(plan[0].next, 2U);
  EXPECT_EQ(plan[1].next, 2U);
}

TEST(UnitWalk, SharesGradientsInBackwardOnly) {
  const auto plan = plan_walk(walk_of("ab"), std::vector<Shared>(4, {false, true}));
  EXPECT_FALSE(plan[0].shared.gradients);
  EXPECT_TRUE(plan[3].shared.gradients);
}

TEST(UnitWalk, DigestsTellPlansApart) {
  const std::vector<Shared> shared(4, {true, true});
  const uint64_t one = digest(plan_walk(walk_of("ab"), shared));
  EXPECT_EQ(one, digest(plan_walk(walk_of("ab"), shared)));
  EXPECT_NE(one, digest(plan_walk(walk_of("ba"), shared)));
  EXPECT_NE(one, digest(plan_walk(walk_of("ab"), std::vector<Shared>(4, {true, false}))));
}

}  // namespace
}  // namespace zt::dist
