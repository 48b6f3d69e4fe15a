// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/pose_detector.hpp"

#include <algorithm>
#include <cmath>

namespace zt::data {
namespace {

constexpr double kMergeOverlap = 0.3;
constexpr float kLogitLimit = 100.0F;

double area(const Detection& d) { return std::max(0.0, d.right - d.left) * std::max(0.0, d.bottom - d.top); }

double overlap(const Detection& a, const Detection& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  return width * height / (area(a) + area(b) - width * height);
}

Detection weighted_mean(std::span<const Detection> hits) {
  Detection mean;
  double total = 0;
  for (const Detection& hit : hits) total += hit.score;
  for (const Detection& hit : hits) {
    const double weight = hit.score / total;
    mean.score = std::max(mean.score, hit.score);
    mean.left += weight * hit.left;
    mean.top += weight * hit.top;
    mean.right += weight * hit.right;
    mean.bottom += weight * hit.bottom;
    mean.hips.x += weight * hit.hips.x;
    mean.hips.y += weight * hit.hips.y;
    mean.rim.x += weight * hit.rim.x;
    mean.rim.y += weight * hit.rim.y;
  }
  return mean;
}

// Takes the best hit with all that overlap it, again and again. Requires: best first.
std::vector<Detection> merge_overlapping(std::vector<Detection> hits) {
  std::vector<Detection> people;
  while (!hits.empty()) {
    std::vector<Detection> same, others;
    for (const Detection& hit : hits) {
      (same.empty() || overlap(same.front(), hit) > kMergeOverlap ? same : others).push_back(hit);
    }
    people.push_back(weighted_mean(same));
    hits = std::move(others);
  }
  return people;
}

}  // namespace

const std::vector<std::array<float, 2>>& detector_anchors() {
  static const std::vector<std::array<float, 2>> anchors = [] {
    std::vector<std::array<float, 2>> centres;
    // The three layers of stride 32 share one grid.
    for (const auto [cells, per_cell] : {std::array{28, 2}, std::array{14, 2}, std::array{7, 6}}) {
      for (int i = 0; i < cells * cells * per_cell; ++i) {
        const int cell = i / per_cell;
        centres.push_back({(static_cast<float>(cell % cells) + 0.5F) / static_cast<float>(cells),
                           (static_cast<float>(cell / cells) + 0.5F) / static_cast<float>(cells)});
      }
    }
    return centres;
  }();
  return anchors;
}

std::vector<Detection> decode_detections(std::span<const float> values, std::span<const float> logits,
                                         double min_score) {
  const auto& anchors = detector_anchors();
  std::vector<Detection> hits;
  for (size_t i = 0; i < anchors.size(); ++i) {
    const double logit = std::clamp(logits[i], -kLogitLimit, kLogitLimit);
    const double score = 1.0 / (1.0 + std::exp(-logit));
    if (!(score >= min_score)) continue;
    const auto value = values.subspan(i * kDetectorValues, kDetectorValues);
    const auto x = [&](size_t k) { return value[k] / kDetectorSize + anchors[i][0]; };
    const auto y = [&](size_t k) { return value[k] / kDetectorSize + anchors[i][1]; };
    const double half_width = value[2] / kDetectorSize / 2, half_height = value[3] / kDetectorSize / 2;
    hits.push_back({.score = score,
                    .left = x(0) - half_width,
                    .top = y(1) - half_height,
                    .right = x(0) + half_width,
                    .bottom = y(1) + half_height,
                    .hips = {x(4), y(5)},
                    .rim = {x(6), y(7)}});
  }
  std::stable_sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  return merge_overlapping(std::move(hits));
}

Region person_region(const Detection& detection, const Region& input) {
  return region_around(to_picture(input, detection.hips.x, detection.hips.y),
                       to_picture(input, detection.rim.x, detection.rim.y));
}

}  // namespace zt::data
