// SPDX-License-Identifier: Apache-2.0
// See param_table.hpp.
#include "params/param_table.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "tensor/require.hpp"

namespace zt::params {

Init Init::fan_in(int64_t fan_in) {
  return {Kind::Uniform, fan_in > 0 ? 1.0f / std::sqrt(static_cast<float>(fan_in)) : 0.0f};
}

int64_t ParamInfo::numel() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

void ParamTable::add(ParamInfo info) {
  const auto [place, is_new] = by_name_.emplace(info.name, params_.size());
  ZT_REQUIRE(is_new, "parameter ", info.name, " is declared twice");
  params_.push_back(std::move(info));
}

const ParamInfo* ParamTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &params_[found->second];
}

int64_t ParamTable::num_elements(std::string_view prefix) const {
  int64_t sum = 0;
  for (const ParamInfo& info : params_) {
    if (!info.is_buffer && info.name.starts_with(prefix)) sum += info.numel();
  }
  return sum;
}

size_t ParamTable::num_tensors(std::string_view prefix) const {
  return static_cast<size_t>(std::count_if(
      params_.begin(), params_.end(), [&](const ParamInfo& info) { return info.name.starts_with(prefix); }));
}

std::vector<std::string> ParamTable::units() const {
  std::vector<std::string> units;
  for (const ParamInfo& info : params_) {
    if (std::find(units.begin(), units.end(), info.unit) == units.end()) units.push_back(info.unit);
  }
  return units;
}

}  // namespace zt::params
