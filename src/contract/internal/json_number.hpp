// SPDX-License-Identifier: Apache-2.0
// Whole numbers out of JSON that anyone may have written. For the .cpp files that parse it.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace zt::contract::internal {

/// The value as T. Throws, as nlohmann does for another type, for a fraction and for a number that T can't
/// hold: nlohmann itself would make something of these, by a conversion that may be undefined.
template <std::integral T>
T whole(const nlohmann::json& value) {
  if (value.is_number_unsigned()) {
    if (const auto number = value.get<uint64_t>(); std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    if (const auto number = value.get<int64_t>(); std::in_range<T>(number)) return static_cast<T>(number);
  }
  constexpr size_t kMaxShown = 40;
  const auto shown = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, kMaxShown);
  throw std::runtime_error(shown + " is not a whole number, or too large for what it counts");
}

}  // namespace zt::contract::internal
