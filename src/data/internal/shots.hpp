// SPDX-License-Identifier: Apache-2.0
// Finds shot changes: neighbouring frames whose colours are distributed differently.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "image/image.hpp"

namespace zt::data::internal {

/// Takes the frames of a clip one after another.
class ShotDetector {
 public:
  /// `threshold`: least distance that makes a cut; half the L1 distance of the channels' histograms, averaged
  /// over the channels: 0 for equal colours, 1 for none in common.
  explicit ShotDetector(double threshold) : threshold_(threshold) {}
  void add(const image::Image& frame);
  /// Numbers of the frames that start a new shot, ascending; never 0.
  const std::vector<int64_t>& cuts() const { return cuts_; }

 private:
  static constexpr size_t kBins = 32;
  using Histogram = std::array<std::array<double, kBins>, 3>;

  double threshold_;
  int64_t frames_ = 0;
  Histogram last_{};
  std::vector<int64_t> cuts_;
};

struct FrameRange {
  int64_t first = 0;
  int64_t count = 0;
  bool operator==(const FrameRange&) const = default;
};

/// The shots of a clip of `num_frames` frames; those longer than `max_frames` (0 = no limit) in nearly equal
/// parts.
std::vector<FrameRange> split_frames(int64_t num_frames, const std::vector<int64_t>& cuts,
                                     int64_t max_frames);

}  // namespace zt::data::internal
