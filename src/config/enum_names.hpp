// SPDX-License-Identifier: Apache-2.0
// Spelling of enum values in configuration files. An enum that a job struct uses has a specialisation of
// EnumNames whose `values` are in the order of the enumerators, which count from 0.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace zt::config {

template <class E>
struct EnumNames;

/// "scaled_linear" for BetaSchedule::ScaledLinear.
template <class E>
constexpr std::string_view name(E value) {
  return EnumNames<E>::values[static_cast<size_t>(value)];
}

}  // namespace zt::config
