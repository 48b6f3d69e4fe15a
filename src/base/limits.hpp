// SPDX-License-Identifier: Apache-2.0
// Limits that several folders keep to.
#pragma once

#include <cstdint>

namespace zt {

/// The most ranks of one training. Lanes, of which each rank has at least one, are no more than this.
inline constexpr int64_t kMaxRanks = 4096;

}  // namespace zt
