// SPDX-License-Identifier: Apache-2.0
// The gradient group of weights behind the last output of a network that anybody reads: loaded and saved for
// their names' sake, never computed with.
#pragma once

#include <string>
#include <string_view>

namespace zt::nn {

/// Within its network's group (ParamSource::group).
inline constexpr std::string_view kTailGroup = "tail";

/// The whole name of `network`'s.
inline std::string tail_group_of(std::string_view network) {
  return std::string(network) + "." + std::string(kTailGroup);
}

/// Whether a group's whole name is that of a network's tail.
inline bool is_tail_group(std::string_view group) { return group.substr(group.rfind('.') + 1) == kTailGroup; }

}  // namespace zt::nn
