// SPDX-License-Identifier: Apache-2.0
// Where a character's joints are at a moment of a motion.
#pragma once

#include <array>
#include <cstdint>

#include "data/puppet/internal/geometry.hpp"
#include "data/puppet/internal/look.hpp"

namespace zt::data::puppet {

/// bias + amplitude * sin(2 pi cycles t + phase); cycles is whole, so the value repeats after t = 1.
struct Wave {
  double bias = 0;
  double amplitude = 0;
  int cycles = 1;
  double phase = 0;
  double at(double t) const;
};

/// One side's limb: angles in radians. `upper` is measured from straight down, positive away from the body;
/// `bend` is added for the lower part.
struct Limb {
  Wave upper;
  Wave bend;
};

/// How to move; sizes are shares of the character's height. Index 0 is the person's right, 1 the left.
struct Motion {
  std::array<Wave, 2> sway;  ///< sideways, added: two rates, so that a place is passed at many speeds
  Wave bounce, lean, tilt, turn;
  std::array<Limb, 2> arms;
  std::array<Limb, 2> legs;
};

Motion draw_motion(const PuppetOptions& options, uint64_t motion);

/// Joints in pixels, OpenPose-18 order, and what else the drawing needs.
struct Skeleton {
  std::array<Vec, 18> joints{};
  Vec hip{};   ///< middle of the hips
  Vec head{};  ///< centre of the head
  double head_radius = 0;
  double head_angle = 0;  ///< radians clockwise from upright
  double turn = 0;        ///< -1 looks to the picture's left, +1 to its right
};

/// `t` in periods of the motion.
Skeleton skeleton_at(const Look& look, const Motion& motion, int width, int height, double t);

}  // namespace zt::data::puppet
