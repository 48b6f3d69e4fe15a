// SPDX-License-Identifier: Apache-2.0
// See silence.hpp.
#include "train/journal/silence.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace zt::train {
namespace {

using contract::Activity;
constexpr double kTimesUsual = 3;

}  // namespace

double Silence::Durations::median_s() const {
  std::array<float, kWindow> sorted = newest_s;
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min<uint64_t>(count, kWindow));
  const auto middle = sorted.begin() + (end - sorted.begin()) / 2;
  std::nth_element(sorted.begin(), middle, end);
  return *middle;
}

uint64_t Silence::key_of(const contract::Progress& action) {
  constexpr uint64_t kPhases = 64;
  return hash::xxh64(action.unit,
                     static_cast<uint64_t>(action.activity) * kPhases + static_cast<uint64_t>(action.phase));
}

void Silence::took(const contract::Progress& action, double seconds) {
  Durations& durations = by_action_[key_of(action)];
  durations.newest_s[durations.count++ % kWindow] = static_cast<float>(seconds);
}

double Silence::limit_s(const contract::Progress& action) const {
  if (limits_.shortest_s <= 0 || action.phase == contract::Phase::Finished) return 0;
  if (action.activity == Activity::None) return limits_.unknown_s;
  const auto found = by_action_.find(key_of(action));
  const bool computes = action.activity != Activity::Data && action.activity != Activity::Exchange;
  if (found == by_action_.end() || found->second.count < kEnough)
    return computes ? std::min(limits_.unknown_s, std::max(limits_.shortest_s, kFirstComputing_s))
                    : limits_.unknown_s;
  const double shortest_s = action.activity == Activity::Data
                                ? std::max(limits_.shortest_s, kShortestOfData_s)
                                : limits_.shortest_s;
  return std::max(shortest_s, kTimesUsual * found->second.median_s());
}

}  // namespace zt::train
