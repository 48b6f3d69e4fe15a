// SPDX-License-Identifier: Apache-2.0
// Hands and face of a person whose body is known: where to look, and the outputs of MediaPipe's hand and face
// networks (hand_landmark_full.tflite, face_landmark.tflite) as key-points. All pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "data/keypoints/keypoints.hpp"
#include "data/pose/blazepose/pose_landmarks.hpp"
#include "data/pose/blazepose/region.hpp"

namespace zt::data {

inline constexpr int kHandInputSize = 224;
inline constexpr size_t kHandValues = kNumHand * 3;  ///< x, y in pixels of the input, and a depth
inline constexpr int kFaceInputSize = 192;
inline constexpr size_t kMeshPoints = 468;
inline constexpr size_t kFaceValues = kMeshPoints * 3;

enum class Side { Left, Right };  ///< the person's own

/// Around the hand, with the knuckles above the wrist, from wrist and finger landmarks of the body. Side 0
/// where the body's network does not see the hand.
Region hand_region(const Landmarks& body, Side side);
/// Around the hand more exactly, from its own points (pixels of the picture) as found in a first look.
Region hand_region(std::span<const PicturePoint> hand);
/// Around the face, chin below the brow. Side 0 where the body's network does not see it.
Region face_region(const Landmarks& body);

/// The first `count` points of a network whose input of this size showed the region, in pixels of the
/// picture. Requires: 3 values per point.
std::vector<PicturePoint> decode_points(std::span<const float> values, size_t count, int input_size,
                                        const Region& region);

/// Key-points in normalised coordinates, all of this confidence; absent outside the picture.
std::vector<Keypoint> to_keypoints(std::span<const PicturePoint> points, double confidence, int width,
                                   int height);

/// The 68 points of the iBUG/dlib scheme (jaw, brows, nose, eyes, mouth) out of the mesh's 468.
std::vector<PicturePoint> face_points(std::span<const PicturePoint> mesh);

}  // namespace zt::data
