// SPDX-License-Identifier: Apache-2.0
// The turned square of a picture that a pose network looks at, and the way to and from it.
#pragma once

#include <vector>

#include "image/image.hpp"

namespace zt::data {

/// A position in pixels of the picture: x right, y down, (0, 0) the top left corner of the first pixel.
struct PicturePoint {
  double x = 0;
  double y = 0;
  bool operator==(const PicturePoint&) const = default;
};

/// A square of the picture, turned clockwise by `angle` radians around its centre. It may reach out of the
/// picture.
struct Region {
  PicturePoint centre;
  double side = 0;
  double angle = 0;
};

/// BlazePose's region: around `centre`, with `rim` straight above the centre in the turned square and on the
/// circle whose diameter the square's side exceeds by a quarter (MediaPipe, RectTransformationCalculator).
Region region_around(PicturePoint centre, PicturePoint rim);

/// The square that holds the whole picture, upright, as the detector sees it.
Region whole_picture(int width, int height);

/// Squares of half the picture's shorter side that cover it, each overlapping its neighbours by half.
std::vector<Region> picture_parts(int width, int height);

/// The picture position of (u, v), both in [0, 1] inside the region: u along its upper edge, v downwards.
PicturePoint to_picture(const Region& region, double u, double v);

/// What is seen beyond the picture's edge.
enum class Border {
  Black,
  Repeat,  ///< the nearest pixel
};

/// The region scaled to size x size pixels of RGB floats, rows from the top, values `low` (black) to `high`
/// (white). Bilinear, or where the region has two or more (at most four) pixels a side for one of the result,
/// their mean. Requires: 3 channels, a region of finite numbers.
std::vector<float> sample_region(const image::Image& picture, const Region& region, int size, Border border,
                                 float low, float high);

}  // namespace zt::data
