// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/pose_details.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace zt::data {
namespace {

// Of BlazePose's landmarks, left and right.
struct HandLandmarks {
  size_t wrist, pinky, index;
};
constexpr HandLandmarks kLeftHand{15, 17, 19}, kRightHand{16, 18, 20};
constexpr size_t kNose = 0, kLeftEye = 2, kRightEye = 5, kMouthLeft = 9, kMouthRight = 10;
constexpr double kInView = 0.5;
// Sides of the squares and their shift towards the finger tips: MediaPipe's
// hand_landmarks_from_pose_to_recrop_roi.pbtxt and hand_landmark_landmarks_to_roi.pbtxt.
constexpr double kFirstHandScale = 2.7, kHandScale = 2.0, kHandShift = 0.1;
// Ours: distance from eyes to mouth, and from eye to eye, to the square of a whole face with a margin of a
// quarter.
constexpr double kEyesToMouthScale = 3.6, kEyeToEyeScale = 3.0;

// Mesh index of each of the 68 points.
constexpr std::array<size_t, kNumFace> kMeshIndex = {
    127, 234, 93,  58,  172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,  // jaw
    70,  63,  105, 66,  107, 336, 296, 334, 293, 300,                                     // brows
    168, 197, 5,   4,   75,  97,  2,   326, 305,                                          // nose
    33,  160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,                           // eyes
    61,  39,  37,  0,   267, 269, 291, 405, 314, 17,  84,  181,                           // outer lips
    78,  82,  13,  312, 308, 317, 14,  87};                                               // inner lips

PicturePoint middle(PicturePoint a, PicturePoint b) { return {(a.x + b.x) / 2, (a.y + b.y) / 2}; }
double distance(PicturePoint a, PicturePoint b) { return std::hypot(a.x - b.x, a.y - b.y); }

// The angle that brings `to` straight above `from`.
double upright(PicturePoint from, PicturePoint to) { return std::atan2(to.x - from.x, from.y - to.y); }

// Moves a region up along its own upright by a share of its side.
Region shifted_up(Region region, double share) {
  region.centre = to_picture(region, 0.5, 0.5 - share);
  return region;
}

}  // namespace

Region hand_region(const Landmarks& body, Side side) {
  const auto [wrist, pinky, index] = side == Side::Left ? kLeftHand : kRightHand;
  if (std::min({body[wrist].confidence, body[pinky].confidence, body[index].confidence}) < kInView) return {};
  const PicturePoint knuckle{(2 * body[index].at.x + body[pinky].at.x) / 3,
                             (2 * body[index].at.y + body[pinky].at.y) / 3};
  const double size = 2 * distance(body[wrist].at, knuckle);
  const Region tight{knuckle, size, upright(body[wrist].at, knuckle)};
  Region region = shifted_up(tight, kHandShift);
  region.side = size * kFirstHandScale;
  return region;
}

Region hand_region(std::span<const PicturePoint> hand) {
  constexpr size_t kWrist = 0, kIndexBase = 5, kMiddleBase = 9, kRingBase = 13;
  // The finger tips say little about where the hand is: only wrist, thumb and the two lower joints of each
  // finger.
  constexpr std::array<size_t, 12> kPalm = {0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18};
  const PicturePoint knuckle = middle(middle(hand[kIndexBase], hand[kRingBase]), hand[kMiddleBase]);
  const double angle = upright(hand[kWrist], knuckle);
  // The bounding box in the hand's own upright.
  const double c = std::cos(angle), s = std::sin(angle);
  double left = INFINITY, right = -INFINITY, top = INFINITY, bottom = -INFINITY;
  for (const size_t i : kPalm) {
    const double x = c * hand[i].x + s * hand[i].y, y = -s * hand[i].x + c * hand[i].y;
    left = std::min(left, x), right = std::max(right, x), top = std::min(top, y),
    bottom = std::max(bottom, y);
  }
  const double x = (left + right) / 2, y = (top + bottom) / 2 - kHandShift * (bottom - top);
  return {{c * x - s * y, s * x + c * y}, kHandScale * std::max(right - left, bottom - top), angle};
}

Region face_region(const Landmarks& body) {
  for (const size_t i : {kNose, kLeftEye, kRightEye, kMouthLeft, kMouthRight}) {
    if (body[i].confidence < kInView) return {};
  }
  const PicturePoint eyes = middle(body[kLeftEye].at, body[kRightEye].at);
  const PicturePoint mouth = middle(body[kMouthLeft].at, body[kMouthRight].at);
  const double side = std::max(kEyesToMouthScale * distance(eyes, mouth),
                               kEyeToEyeScale * distance(body[kLeftEye].at, body[kRightEye].at));
  return {middle(eyes, mouth), side, upright(mouth, eyes)};
}

std::vector<PicturePoint> decode_points(std::span<const float> values, size_t count, int input_size,
                                        const Region& region) {
  std::vector<PicturePoint> points;
  for (size_t i = 0; i < count; ++i) {
    points.push_back(to_picture(region, values[3 * i] / static_cast<float>(input_size),
                                values[3 * i + 1] / static_cast<float>(input_size)));
  }
  return points;
}

std::vector<Keypoint> to_keypoints(std::span<const PicturePoint> points, double confidence, int width,
                                   int height) {
  std::vector<Keypoint> keypoints;
  for (const PicturePoint point : points) {
    const double x = point.x / width, y = point.y / height;
    const bool is_inside = x >= 0 && x <= 1 && y >= 0 && y <= 1;
    keypoints.push_back(
        is_inside ? Keypoint{static_cast<float>(x), static_cast<float>(y), static_cast<float>(confidence)}
                  : Keypoint{});
  }
  return keypoints;
}

std::vector<PicturePoint> face_points(std::span<const PicturePoint> mesh) {
  std::vector<PicturePoint> points;
  for (const size_t i : kMeshIndex) points.push_back(mesh[i]);
  return points;
}

}  // namespace zt::data
