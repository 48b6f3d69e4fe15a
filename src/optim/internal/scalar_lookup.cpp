// SPDX-License-Identifier: Apache-2.0
#include "optim/internal/scalar_lookup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <variant>

namespace zt::optim::internal {
namespace {

using Scalars = std::vector<params::StateScalar>;

Result<std::variant<int64_t, double>> find(const Scalars& scalars, std::string_view name) {
  const auto found =
      std::find_if(scalars.begin(), scalars.end(), [&](const auto& s) { return s.name == name; });
  if (found == scalars.end())
    return fail(ErrorCode::Corrupt, fmt::format("the checkpoint has no number '{}'", name));
  return found->value;
}

}  // namespace

Result<int64_t> find_count(const Scalars& scalars, std::string_view name) {
  ZT_TRY_ASSIGN(const auto value, find(scalars, name));
  const int64_t* count = std::get_if<int64_t>(&value);
  if (!count || *count < 0)
    return fail(ErrorCode::Corrupt, fmt::format("'{}' of the checkpoint is not a count", name));
  return *count;
}

Result<double> find_positive(const Scalars& scalars, std::string_view name) {
  ZT_TRY_ASSIGN(const auto value, find(scalars, name));
  const double number = std::visit([](auto v) { return static_cast<double>(v); }, value);
  if (!std::isfinite(number) || number <= 0)
    return fail(ErrorCode::Corrupt,
                fmt::format("'{}' of the checkpoint is {}, wanted a positive number", name, number));
  return number;
}

}  // namespace zt::optim::internal
