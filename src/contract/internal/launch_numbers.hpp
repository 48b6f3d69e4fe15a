// SPDX-License-Identifier: Apache-2.0
// Which numbers of attempts (generations) are believed where they are read.
#pragma once

#include <cstdint>

namespace zt::contract::internal {

/// The highest: a larger one, in a folder's name or a file, is none of ours, and would end all counting.
inline constexpr int64_t kMaxGeneration = 999'999'999;

}  // namespace zt::contract::internal
