// SPDX-License-Identifier: Apache-2.0
// Pose error on puppets: parts with a colour of their own (hands, feet, head) are found again by colour in
// the generated and in the true picture by the same rule, and the distance of the two places is the error. No
// key-point network.
#pragma once

#include <optional>
#include <span>

#include "image/image.hpp"

namespace zt::quality {

/// A part to find: where the key-points say it is (pixels), and its colour.
struct ColouredJoint {
  double x = 0;
  double y = 0;
  image::Rgb colour{};
};

struct JointSearch {
  int tolerance = 40;    ///< a pixel matches if no channel differs from the colour by more
  double radius_px = 8;  ///< only pixels this near to the key-point are looked at
  int min_pixels = 2;    ///< fewer matching pixels = not found
};

struct Position {
  double x = 0;
  double y = 0;
};
/// The centre of mass of the matching pixels (pixel centres are at integers); nothing if too few match.
std::optional<Position> find_joint(const image::Image& picture, const ColouredJoint& joint,
                                   const JointSearch& search);

struct JointErrors {
  /// Over found and missed joints; a missed one counts as the search radius. NaN if there is none.
  double mean_px = 0;
  int found = 0;   ///< in both pictures
  int missed = 0;  ///< in the truth, but not in the generated picture
  int hidden = 0;  ///< not even in the truth (covered by another part): not counted
};
JointErrors pose_error(const image::Image& picture, const image::Image& truth,
                       std::span<const ColouredJoint> joints, const JointSearch& search = {});

}  // namespace zt::quality
