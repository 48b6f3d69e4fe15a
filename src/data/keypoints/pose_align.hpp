// SPDX-License-Identifier: Apache-2.0
// Carries a driving motion over to the proportions and place of a reference person: pure maths on key-points.
// Source: MusePose's pose_align.py (limb ratios walked from the neck outwards) and, as the simpler fallback,
// MimicMotion's least-squares rescale.
#pragma once

#include "base/error.hpp"
#include "data/keypoints/keypoints.hpp"

namespace zt::data {

enum class AlignMethod {
  Limbs,  ///< every body part gets the reference's length; falls back to Fit if the neck or torso can't be
          ///< compared
  Fit,    ///< one scale per axis and one offset for the whole clip
};

/// Reference length divided by driving length of each body part, after both were brought to square pixels.
/// A ratio that can't be measured is the mean of those that can.
struct LimbRatios {
  double neck = 1, face = 1, shoulders = 1, upper_arms = 1, lower_arms = 1, hands = 1, torso = 1,
         upper_legs = 1, lower_legs = 1;
};

/// Errors: InvalidArgument if no part is measurable in both.
Result<LimbRatios> limb_ratios(const Person& reference, double reference_aspect, const Person& driving,
                               double driving_aspect);

/// The driving clip with its primary person moved onto the reference; other people are dropped, absent points
/// stay absent. The result is normalised to a picture of the reference's aspect (its width and height are
/// taken over). The ratios come from the first driving frame that shows a neck and something to compare.
/// Errors: InvalidArgument if no driving frame can be compared with the reference.
Result<KeypointClip> align_poses(const Person& reference, int reference_width, int reference_height,
                                 const KeypointClip& driving, AlignMethod method = AlignMethod::Limbs);

}  // namespace zt::data
