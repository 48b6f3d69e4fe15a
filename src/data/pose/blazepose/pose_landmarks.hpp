// SPDX-License-Identifier: Apache-2.0
// The outputs of BlazePose's landmark network (pose_landmark_*.tflite) as a person: 33 body points and two
// more that say where to look in the next picture. Order of the points: MediaPipe's PoseLandmark.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "data/keypoints/keypoints.hpp"
#include "data/pose/blazepose/region.hpp"

namespace zt::data {

inline constexpr int kLandmarkInputSize = 256;
inline constexpr size_t kLandmarkValues = 195;  ///< 39 points of x, y, z, visibility logit, presence logit
inline constexpr size_t kNumLandmarks = 35;

struct Landmark {
  PicturePoint at;        ///< pixels of the picture
  double confidence = 0;  ///< that it is in the picture and not hidden
};
using Landmarks = std::array<Landmark, kNumLandmarks>;

/// Requires: 195 values, found in `region`.
Landmarks decode_landmarks(std::span<const float> values, const Region& region);

/// Whether two of shoulders and hips are clearly there. The network's own flag also rises for round or
/// upright things; what it then calls a torso it is not sure of.
bool has_torso(const Landmarks& landmarks);

/// Where the person is, for the next picture's landmarks.
Region landmark_region(const Landmarks& landmarks);

/// OpenPose-18 in normalised coordinates. The neck is the middle of the shoulders, as sure as the less sure
/// one. Points outside the picture are absent: nobody saw them. Hands and face stay empty.
Person to_person(const Landmarks& landmarks, int width, int height);

}  // namespace zt::data
