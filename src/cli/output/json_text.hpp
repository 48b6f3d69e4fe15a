// SPDX-License-Identifier: Apache-2.0
// The JSON that --json prints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace zt::cli {

/// Indented, with its last line's end. Bytes of paths that are no UTF-8 are replaced, as JSON has none.
inline std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace zt::cli
