// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/pose_landmarks.hpp"

#include <algorithm>
#include <cmath>

namespace zt::data {
namespace {

constexpr size_t kValuesPerPoint = 5;
constexpr size_t kLeftShoulder = 11, kRightShoulder = 12, kLeftHip = 23, kRightHip = 24;
constexpr double kClearlyThere = 0.5;
constexpr size_t kHips = 33, kRim = 34;  // auxiliary points, the detector's key-points 0 and 1

// BlazePose index of each OpenPose part; the neck (1) is computed.
constexpr std::array<size_t, kNumBody> kSource = {0,  0,  12, 14, 16, 11, 13, 15, 24,
                                                  26, 28, 23, 25, 27, 5,  2,  8,  7};

double sigmoid(float x) { return 1.0 / (1.0 + std::exp(-static_cast<double>(x))); }

}  // namespace

Landmarks decode_landmarks(std::span<const float> values, const Region& region) {
  Landmarks landmarks;
  for (size_t i = 0; i < landmarks.size(); ++i) {
    const auto value = values.subspan(i * kValuesPerPoint, kValuesPerPoint);
    landmarks[i].at = to_picture(region, value[0] / kLandmarkInputSize, value[1] / kLandmarkInputSize);
    landmarks[i].confidence = std::min(sigmoid(value[3]), sigmoid(value[4]));
  }
  return landmarks;
}

bool has_torso(const Landmarks& landmarks) {
  int seen = 0;
  for (const size_t i : {kLeftShoulder, kRightShoulder, kLeftHip, kRightHip}) {
    seen += landmarks[i].confidence >= kClearlyThere ? 1 : 0;
  }
  return seen >= 2;
}

Region landmark_region(const Landmarks& landmarks) {
  return region_around(landmarks[kHips].at, landmarks[kRim].at);
}

Person to_person(const Landmarks& landmarks, int width, int height) {
  const Landmark &left = landmarks[kLeftShoulder], &right = landmarks[kRightShoulder];
  const Landmark neck{{(left.at.x + right.at.x) / 2, (left.at.y + right.at.y) / 2},
                      std::min(left.confidence, right.confidence)};
  Person person;
  for (size_t part = 0; part < kNumBody; ++part) {
    const Landmark& from = part == static_cast<size_t>(BodyPart::Neck) ? neck : landmarks[kSource[part]];
    const double x = from.at.x / width, y = from.at.y / height;
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) continue;
    person.body[part] = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(from.confidence)};
  }
  return person;
}

}  // namespace zt::data
