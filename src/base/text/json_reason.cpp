// SPDX-License-Identifier: Apache-2.0
#include "base/text/json_reason.hpp"

#include <string_view>

namespace zt {

std::string json_reason(const std::exception& thrown) {
  const std::string_view text = thrown.what();
  const size_t end = text.find("] ");
  if (!text.starts_with("[json.exception.") || end == text.npos) return std::string(text);
  return std::string(text.substr(end + 2));
}

}  // namespace zt
