// SPDX-License-Identifier: Apache-2.0
// The parts of a puppet, as numbered in label maps.
#pragma once

#include <cstdint>

namespace zt::data {

enum class PartLabel : uint8_t {
  Background = 0,
  Legs = 1,
  Shoes = 2,
  Torso = 3,
  Arms = 4,
  Hands = 5,
  Head = 6,
  Hair = 7,
  Eyes = 8,
  Tail = 9,  ///< scarf or pony-tail: what lags behind the motion
};

inline constexpr int kNumPartLabels = 10;
/// Grey value of label l in a label video: l * kLabelStep.
inline constexpr int kLabelStep = 24;

}  // namespace zt::data
