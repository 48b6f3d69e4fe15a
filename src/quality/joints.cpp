// SPDX-License-Identifier: Apache-2.0
#include "quality/joints.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "quality/internal/check.hpp"

namespace zt::quality {
namespace {

bool matches(const uint8_t* pixel, image::Rgb colour, int tolerance) {
  for (size_t c = 0; c < 3; ++c) {
    if (std::abs(int{pixel[c]} - int{colour[c]}) > tolerance) return false;
  }
  return true;
}

}  // namespace

std::optional<Position> find_joint(const image::Image& picture, const ColouredJoint& joint,
                                   const JointSearch& search) {
  if (picture.channels != 3)
    throw std::invalid_argument("joints are found by colour: three channels are needed");
  const double radius = search.radius_px;
  // Clamped before the conversion, so that far-away key-points are just not found.
  const auto bound = [](double v, int limit) {
    return static_cast<int>(std::clamp(v, -1.0, static_cast<double>(limit)));
  };
  const int left = std::max(0, bound(std::ceil(joint.x - radius), picture.width));
  const int right = std::min(picture.width - 1, bound(std::floor(joint.x + radius), picture.width));
  const int top = std::max(0, bound(std::ceil(joint.y - radius), picture.height));
  const int bottom = std::min(picture.height - 1, bound(std::floor(joint.y + radius), picture.height));
  double sum_x = 0, sum_y = 0;
  int count = 0;
  for (int y = top; y <= bottom; ++y) {
    for (int x = left; x <= right; ++x) {
      if (std::hypot(x - joint.x, y - joint.y) > radius ||
          !matches(picture.at(x, y), joint.colour, search.tolerance)) {
        continue;
      }
      sum_x += x;
      sum_y += y;
      ++count;
    }
  }
  if (count < std::max(1, search.min_pixels)) return std::nullopt;
  return Position{sum_x / count, sum_y / count};
}

JointErrors pose_error(const image::Image& picture, const image::Image& truth,
                       std::span<const ColouredJoint> joints, const JointSearch& search) {
  internal::require_same_shape(picture, truth);
  JointErrors result;
  double sum_px = 0;
  for (const ColouredJoint& joint : joints) {
    const auto wanted = find_joint(truth, joint, search);
    if (!wanted) {
      ++result.hidden;
      continue;
    }
    const auto found = find_joint(picture, joint, search);
    ++(found ? result.found : result.missed);
    sum_px += found ? std::hypot(found->x - wanted->x, found->y - wanted->y) : search.radius_px;
  }
  const int counted = result.found + result.missed;
  result.mean_px = counted == 0 ? std::numeric_limits<double>::quiet_NaN() : sum_px / counted;
  return result;
}

}  // namespace zt::quality
