// SPDX-License-Identifier: Apache-2.0
// The pose picture: key-points drawn on black with the colours and sizes of Moore-AnimateAnyone's
// src/dwpose/util.py, which is what published pose guiders were trained on.
#pragma once

#include "config/job/data_job.hpp"
#include "data/keypoints/keypoints.hpp"

namespace zt::image {
struct Image;
}

namespace zt::data {

using config::PoseStyle;

/// Points below it are not drawn: the reference's threshold.
inline constexpr float kMinDrawnConfidence = 0.3F;

struct DrawOptions {
  PoseStyle style = PoseStyle::Reference;
  bool hands = true;
  bool face = true;
  bool all_people = false;  ///< false: only the first (primary) person, as training and generation see it
  /// Short side at which the reference's pixel sizes hold. 0 draws them unscaled at any size.
  int reference_short_side = 512;
  bool operator==(const DrawOptions&) const = default;
};

/// Draws on a black RGB picture of width x height. Points outside the picture are clipped, absent ones
/// skipped.
image::Image draw_pose(const Keypoints& keypoints, int width, int height, const DrawOptions& options = {});

}  // namespace zt::data
