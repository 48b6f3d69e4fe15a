// SPDX-License-Identifier: Apache-2.0
// The outputs of BlazePose's detector (pose_detection.tflite) as people: anchors, decoding, suppression of
// overlapping hits. Bazarevsky et al. 2020, "BlazePose"; constants from MediaPipe's pose_detection_cpu.pbtxt.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "data/pose/blazepose/region.hpp"

namespace zt::data {

inline constexpr int kDetectorSize = 224;
inline constexpr size_t kDetectorAnchors = 2254;
inline constexpr size_t kDetectorValues = 12;  ///< per anchor: box centre and size, four key-points

/// Somebody in the detector's square input; coordinates in [0, 1] of it.
struct Detection {
  double score = 0;
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
  PicturePoint hips;  ///< key-point 0: middle of the hips
  PicturePoint rim;   ///< key-point 1: on the circle around the whole body
};

/// Centres of the anchors in [0, 1], in the order of the outputs: 2 per cell of 28 x 28, 2 of 14 x 14, 6 of 7
/// x 7.
const std::vector<std::array<float, 2>>& detector_anchors();

/// Hits with a score of at least `min_score`, best first; overlapping ones (intersection over union above
/// 0.3) merged into their mean, weighted by score. Requires: 2254 x 12 values and 2254 logits.
std::vector<Detection> decode_detections(std::span<const float> values, std::span<const float> logits,
                                         double min_score = 0.5);

/// The region that the landmark network has to see, in pixels; `input` is what the detector saw.
Region person_region(const Detection& detection, const Region& input);

}  // namespace zt::data
