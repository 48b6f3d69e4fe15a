// SPDX-License-Identifier: Apache-2.0
#include "data/internal/shots.hpp"

#include <algorithm>
#include <cmath>

namespace zt::data::internal {

void ShotDetector::add(const image::Image& frame) {
  // About 100 x 100 samples say as much about the colours as all pixels do.
  const int step = std::max(1, std::min(frame.width, frame.height) / 100);
  Histogram histogram{};
  int64_t samples = 0;
  for (int y = 0; y < frame.height; y += step) {
    for (int x = 0; x < frame.width; x += step, ++samples)
      for (size_t c = 0; c < 3; ++c) histogram[c][frame.at(x, y)[c] / (256 / kBins)] += 1;
  }
  double distance = 0;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t bin = 0; bin < kBins; ++bin) {
      histogram[c][bin] /= static_cast<double>(samples);
      distance += std::abs(histogram[c][bin] - last_[c][bin]) / 6;
    }
  }
  if (frames_ > 0 && distance >= threshold_) cuts_.push_back(frames_);
  last_ = histogram;
  ++frames_;
}

std::vector<FrameRange> split_frames(int64_t num_frames, const std::vector<int64_t>& cuts,
                                     int64_t max_frames) {
  std::vector<FrameRange> ranges;
  int64_t first = 0;
  const auto add = [&](int64_t end) {
    const int64_t count = end - first;
    const int64_t parts = max_frames > 0 ? std::max<int64_t>(1, (count + max_frames - 1) / max_frames) : 1;
    for (int64_t i = 0; i < parts; ++i) {
      const int64_t from = first + count * i / parts, to = first + count * (i + 1) / parts;
      ranges.push_back({from, to - from});
    }
    first = end;
  };
  for (const int64_t cut : cuts) add(cut);
  add(num_frames);
  return ranges;
}

}  // namespace zt::data::internal
