// SPDX-License-Identifier: Apache-2.0
// What a character looks like. Drawn from the character number alone, so that identity can't be guessed from
// a pose.
#pragma once

#include <cstdint>

#include "data/puppet/puppet.hpp"
#include "image/image.hpp"

namespace zt::data::puppet {

enum class Pattern { Plain, Across, Along };
enum class HairStyle { Short, Bob, Bun };
enum class TailKind { None, Scarf, PonyTail };

/// Lengths are factors on the standard proportions of skeleton.cpp.
struct Look {
  double height = 1;  ///< pixels from crown to sole
  double torso_length = 1, arm_length = 1, leg_length = 1, head_size = 1;
  double body_width = 1, shoulder_width = 1;

  image::Rgb skin{}, hair{}, eyes{}, top{}, stripe{}, trousers{}, shoes{}, tail{};
  image::Rgb background_from{}, background_to{};
  double background_angle = 0;  ///< direction of the gradient, radians

  Pattern pattern = Pattern::Plain;
  double sleeve = 1;  ///< how far the sleeve reaches down the arm: 1 = elbow, 2 = wrist
  HairStyle hair_style = HairStyle::Short;
  TailKind tail_kind = TailKind::None;
  double tail_side = 1;           ///< +1: hangs on the picture's right
  bool right_arm_behind = false;  ///< the person's right
  bool left_arm_behind = false;
  bool left_leg_in_front = false;
};

Look draw_look(const PuppetOptions& options, uint64_t character);

/// a where the share is 0, b where it is 1.
image::Rgb mixed(image::Rgb a, image::Rgb b, double share_of_b);

/// The largest difference of a channel: what the eye and quality::foreground_mask tell colours apart by.
int colour_distance(image::Rgb a, image::Rgb b);

}  // namespace zt::data::puppet
