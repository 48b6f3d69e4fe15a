// SPDX-License-Identifier: Apache-2.0
// What an exception of nlohmann::json says, for people.
#pragma once

#include <exception>
#include <string>

namespace zt {

/// Its text without the "[json.exception.parse_error.101] " that the library puts before its own; that of any
/// other exception as it is.
std::string json_reason(const std::exception& thrown);

}  // namespace zt
