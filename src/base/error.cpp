// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"

#include "base/error_policy.hpp"
#include "base/text/text.hpp"

namespace zt {
std::string_view name(ErrorCode code) { return policy(code).name; }

std::string Error::text() const {
  if (contexts.empty()) return text::visible(message);
  std::string out = message + " (";
  for (size_t i = 0; i < contexts.size(); ++i) out += (i ? "; " : "") + contexts[i];
  return text::visible(out + ")");
}

}  // namespace zt
