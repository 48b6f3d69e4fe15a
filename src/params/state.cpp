// SPDX-License-Identifier: Apache-2.0
// See state.hpp.
#include "params/state.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace zt::params {
namespace {

Result<std::variant<int64_t, double>> find(const std::vector<StateScalar>& scalars, std::string_view name) {
  const auto found = std::ranges::find(scalars, name, &StateScalar::name);
  if (found == scalars.end())
    return fail(ErrorCode::Corrupt, fmt::format("the checkpoint has no number '{}'", name));
  return found->value;
}

}  // namespace

void visit_held(const StateVisitor& visitor, std::string name, const at::Tensor& flat, Range held,
                Range place, const std::vector<int64_t>& shape) {
  const Range here = intersect(held, place);
  if (here.size() == 0) return;
  const at::Tensor value = flat.narrow(0, here.begin - held.begin, here.size());
  if (here.size() == place.size()) return visitor({std::move(name), value.view(shape)});
  visitor({std::move(name), value, Piece{shape, here.begin - place.begin}});
}

Result<double> find_number(const std::vector<StateScalar>& scalars, std::string_view name) {
  ZT_TRY_ASSIGN(const auto value, find(scalars, name));
  return std::visit([](auto number) { return static_cast<double>(number); }, value);
}

Result<int64_t> find_count(const std::vector<StateScalar>& scalars, std::string_view name) {
  ZT_TRY_ASSIGN(const auto value, find(scalars, name));
  const int64_t* count = std::get_if<int64_t>(&value);
  if (!count || *count < 0)
    return fail(ErrorCode::Corrupt, fmt::format("'{}' of the checkpoint is not a count", name));
  return *count;
}

Result<double> find_positive(const std::vector<StateScalar>& scalars, std::string_view name) {
  ZT_TRY_ASSIGN(const double number, find_number(scalars, name));
  if (!std::isfinite(number) || number <= 0)
    return fail(ErrorCode::Corrupt,
                fmt::format("'{}' of the checkpoint is {}, wanted a positive number", name, number));
  return number;
}

}  // namespace zt::params
