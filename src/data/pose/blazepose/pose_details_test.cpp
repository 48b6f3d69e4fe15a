// SPDX-License-Identifier: Apache-2.0
// Expected values are worked out by hand from MediaPipe's graphs
// (hand_landmarks_from_pose_to_recrop_roi.pbtxt, hand_landmark_landmarks_to_roi.pbtxt) and the names of its
// points.
#include "data/pose/blazepose/pose_details.hpp"

#include <gtest/gtest.h>

#include <numbers>

namespace zt::data {
namespace {

constexpr size_t kRightWrist = 16, kRightPinky = 18, kRightIndex = 20;

// A body with its right hand pointing up from (100, 200): knuckle at (100, 170).
Landmarks raised_hand() {
  Landmarks body{};
  body[kRightWrist] = {{100, 200}, 0.9};
  body[kRightPinky] = {{80, 170}, 0.9};
  body[kRightIndex] = {{110, 170}, 0.9};
  return body;
}

TEST(HandRegion, LiesAroundTheKnucklesOfTheBodysHand) {
  const Region region = hand_region(raised_hand(), Side::Right);

  // Twice the distance from wrist to knuckle is 60; a tenth of that upwards; 2.7 times as wide.
  EXPECT_NEAR(region.centre.x, 100, 1e-9);
  EXPECT_NEAR(region.centre.y, 170 - 6, 1e-9);
  EXPECT_NEAR(region.side, 60 * 2.7, 1e-9);
  EXPECT_NEAR(region.angle, 0, 1e-9);
}

TEST(HandRegion, IsEmptyForAHandThatTheBodyDoesNotShow) {
  Landmarks body = raised_hand();
  body[kRightPinky].confidence = 0.4;

  EXPECT_EQ(hand_region(body, Side::Right).side, 0);
  EXPECT_EQ(hand_region(raised_hand(), Side::Left).side, 0);
}

TEST(HandRegion, FollowsTheHandsOwnPointsAndTheirTurn) {
  // A hand that points right: wrist at the origin, all knuckles and joints at x = 40, y from -10 to 10.
  std::vector<PicturePoint> hand(kNumHand, PicturePoint{40, 0});
  hand[0] = {0, 0};
  hand[5] = {40, -10};
  hand[13] = {40, 10};

  const Region region = hand_region(hand);

  EXPECT_NEAR(region.angle, std::numbers::pi / 2, 1e-9);
  EXPECT_NEAR(region.side, 2 * 40, 1e-9);
  EXPECT_NEAR(region.centre.x, 20 + 4, 1e-9);
  EXPECT_NEAR(region.centre.y, 0, 1e-9);
}

TEST(FaceRegion, HoldsEyesAndMouthUpright) {
  Landmarks body{};
  body[0] = {{100, 110}, 0.9};  // nose
  body[2] = {{120, 100}, 0.9};  // left eye
  body[5] = {{80, 100}, 0.9};   // right eye
  body[9] = {{110, 130}, 0.9};  // mouth
  body[10] = {{90, 130}, 0.9};

  const Region region = face_region(body);

  EXPECT_EQ(region.centre, (PicturePoint{100, 115}));
  EXPECT_NEAR(region.angle, 0, 1e-9);
  EXPECT_NEAR(region.side, 120, 1e-9);
  body[0].confidence = 0.3;
  EXPECT_EQ(face_region(body).side, 0);
}

TEST(DecodePoints, TakesEveryThirdPairOfNumbers) {
  const std::vector<float> values = {0, 0, 9, 224, 112, 9};

  const auto points = decode_points(values, 2, kHandInputSize, {{50, 50}, 100, 0});

  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0], (PicturePoint{0, 0}));
  EXPECT_EQ(points[1], (PicturePoint{100, 50}));
}

TEST(ToKeypoints, LeavesOutWhatLiesOutsideThePicture) {
  const std::vector<PicturePoint> points = {{50, 25}, {101, 25}};

  const auto keypoints = to_keypoints(points, 0.7, 100, 50);

  EXPECT_EQ(keypoints[0], (Keypoint{0.5F, 0.5F, 0.7F}));
  EXPECT_FALSE(keypoints[1].present());
}

TEST(FacePoints, AreTheMeshesKnownCorners) {
  std::vector<PicturePoint> mesh(kMeshPoints);
  for (size_t i = 0; i < mesh.size(); ++i) mesh[i].x = static_cast<double>(i);

  const auto points = face_points(mesh);

  // Of the mesh: 152 chin, 4 tip of the nose, 33 and 263 outer corners of the eyes, 61 and 291 of the mouth.
  ASSERT_EQ(points.size(), kNumFace);
  EXPECT_EQ(points[8].x, 152);
  EXPECT_EQ(points[30].x, 4);
  EXPECT_EQ(points[36].x, 33);
  EXPECT_EQ(points[45].x, 263);
  EXPECT_EQ(points[48].x, 61);
  EXPECT_EQ(points[54].x, 291);
}

}  // namespace
}  // namespace zt::data
