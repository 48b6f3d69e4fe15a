// SPDX-License-Identifier: Apache-2.0
// Purposes of the counter streams (base/counter_rng.hpp): a character and a motion of one number share
// nothing.
#pragma once

#include <cstdint>

namespace zt::data::puppet {

inline constexpr uint64_t kCharacterStream = 0x70757001;
inline constexpr uint64_t kMotionStream = 0x70757002;

}  // namespace zt::data::puppet
