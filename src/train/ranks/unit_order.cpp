// SPDX-License-Identifier: Apache-2.0
// See unit_order.hpp.
#include "train/ranks/unit_order.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "models/network_set.hpp"
#include "nn/tail_group.hpp"

namespace zt::train {
namespace {

struct UnitUse {
  std::string name;
  bool runs = false;
  bool trains = false;
};

/// A network's units in the order that its constructor declared them, which is forward order.
std::vector<UnitUse> units_of(const params::ParamStore& store, std::string_view network) {
  const std::string tail = nn::tail_group_of(network);
  std::vector<UnitUse> units;
  for (const params::StoredParam& param : store.params()) {
    if (param.info.group != network && param.info.group != tail) continue;
    if (units.empty() || units.back().name != param.info.unit) units.push_back({param.info.unit});
    if (param.info.group == tail) continue;
    units.back().runs = true;
    if (store.segments()[param.segment].placement.trainable) units.back().trains = true;
  }
  std::erase_if(units, [](const UnitUse& unit) { return !unit.runs; });
  return units;
}

/// Adds the network's forward visits, and its backward visits, latest first, in front of `backward`. Returns
/// whether gradients reach its output. `reached`: they reach its inputs.
bool add_network(const std::vector<UnitUse>& units, bool reached, std::vector<dist::Visit>& forward,
                 std::vector<dist::Visit>& backward) {
  std::vector<dist::Visit> back;
  for (const UnitUse& unit : units) {
    forward.push_back({unit.name, dist::Pass::Forward});
    reached = reached || unit.trains;
    if (reached) back.push_back({unit.name, dist::Pass::Backward});
  }
  std::reverse(back.begin(), back.end());
  backward.insert(backward.begin(), back.begin(), back.end());
  return reached;
}

}  // namespace

std::vector<dist::Visit> unit_order(const params::ParamStore& store) {
  std::vector<dist::Visit> walk, backward;
  const bool reference = add_network(units_of(store, models::kReferenceUNet), false, walk, backward);
  const bool pose = add_network(units_of(store, models::kPoseGuider), false, walk, backward);
  add_network(units_of(store, models::kDenoisingUNet), reference || pose, walk, backward);
  walk.insert(walk.end(), backward.begin(), backward.end());
  return walk;
}

}  // namespace zt::train
