// SPDX-License-Identifier: Apache-2.0
// See resting_sums.hpp.
#include "optim/internal/resting_sums.hpp"

namespace zt::optim::internal {

void RestingSums::begin_step() {
  expected_ = {left_.values, left_.moments, left_.averages};
  for (Shared* sums : {&found_, &left_}) sums->values = sums->moments = sums->averages = 0;
}

void RestingSums::add(const Tally& tally) {
  const auto add_to = [](Shared& sums, const BitSums& more) {
    sums.values += more.values;
    sums.moments += more.moments;
    sums.averages += more.averages;
  };
  add_to(found_, tally.found);
  add_to(left_, tally.left);
}

const char* RestingSums::end_step(bool has_averages) {
  const bool compares = knows_, compares_averages = knows_averages_ && has_averages;
  knows_ = true;
  knows_averages_ = has_averages;
  if (compares && found_.values != expected_.values) return "weights";
  if (compares && found_.moments != expected_.moments) return "optimizer state";
  if (compares_averages && found_.averages != expected_.averages) return "averages";
  return nullptr;
}

}  // namespace zt::optim::internal
