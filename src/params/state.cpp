// SPDX-License-Identifier: Apache-2.0
// See state.hpp.
#include "params/state.hpp"

#include <ATen/ATen.h>

#include <utility>

namespace zt::params {

void visit_held(const StateVisitor& visitor, std::string name, const at::Tensor& flat, Range held,
                Range place, const std::vector<int64_t>& shape) {
  const Range here = intersect(held, place);
  if (here.size() == 0) return;
  const at::Tensor value = flat.narrow(0, here.begin - held.begin, here.size());
  if (here.size() == place.size()) return visitor({std::move(name), value.view(shape)});
  visitor({std::move(name), value, Piece{shape, here.begin - place.begin}});
}

}  // namespace zt::params
