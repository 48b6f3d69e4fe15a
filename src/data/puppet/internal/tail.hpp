// SPDX-License-Identifier: Apache-2.0
// The scarf's end or pony-tail: a chain of points under gravity and air drag, hung on a moving root. It lags,
// so its shape tells where the root came from, which no single pose does.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include "data/puppet/internal/geometry.hpp"

namespace zt::data::puppet {

inline constexpr size_t kTailPoints = 7;
using Chain = std::array<Vec, kTailPoints>;

/// Shapes of the chain at each frame of a periodic motion, in steady state: frame 0 follows the last frame.
/// `root_at(t)`: the root in pixels at t periods. `length`: of the chain, pixels; `height`: of the character,
/// pixels. Time is counted in frames, so a longer period gives a calmer tail.
std::vector<Chain> swing(const std::function<Vec(double t)>& root_at, int period_frames, double length,
                         double height);

}  // namespace zt::data::puppet
