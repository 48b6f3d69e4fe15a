// SPDX-License-Identifier: Apache-2.0
#include "quality/motion.hpp"

#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#include "quality/foreground.hpp"
#include "quality/internal/check.hpp"

namespace zt::quality {
namespace {

// A mean over values of all frame pairs.
struct Mean {
  int64_t sum = 0;
  int64_t count = 0;
  std::optional<double> value() const {
    if (count == 0) return std::nullopt;
    return static_cast<double>(sum) / static_cast<double>(count);
  }
};

void require_masks(std::span<const image::Image> frames, std::span<const image::Image> masks) {
  if (frames.size() != masks.size()) throw std::invalid_argument("as many masks as frames are needed");
  for (size_t t = 0; t < frames.size(); ++t) {
    internal::require_same_shape(frames[t], frames[0]);
    internal::require_mask_for(masks[t], frames[t]);
  }
}

int change(std::span<const image::Image> frames, size_t t, size_t i) {
  return int{frames[t].pixels[i]} - int{frames[t - 1].pixels[i]};
}

bool is_set(const image::Image& mask, size_t pixel) { return mask.pixels[pixel] >= 128; }

}  // namespace

std::optional<double> flicker(std::span<const image::Image> frames,
                              std::span<const image::Image> truth_masks) {
  require_masks(frames, truth_masks);
  Mean mean;
  for (size_t t = 1; t < frames.size(); ++t) {
    for (size_t i = 0; i < frames[t].pixels.size(); ++i) {
      const size_t pixel = i / static_cast<size_t>(frames[t].channels);
      if (is_set(truth_masks[t - 1], pixel) || is_set(truth_masks[t], pixel)) continue;
      mean.sum += std::abs(change(frames, t, i));
      ++mean.count;
    }
  }
  return mean.value();
}

std::optional<double> temporal_error(std::span<const image::Image> frames,
                                     std::span<const image::Image> truth,
                                     std::span<const image::Image> truth_masks) {
  require_masks(truth, truth_masks);
  require_masks(frames, truth_masks);
  Mean mean;
  for (size_t t = 1; t < frames.size(); ++t) {
    internal::require_same_shape(frames[t], truth[t]);
    for (size_t i = 0; i < frames[t].pixels.size(); ++i) {
      const size_t pixel = i / static_cast<size_t>(frames[t].channels);
      if (!is_set(truth_masks[t - 1], pixel) && !is_set(truth_masks[t], pixel)) continue;
      mean.sum += std::abs(change(frames, t, i) - change(truth, t, i));
      ++mean.count;
    }
  }
  return mean.value();
}

}  // namespace zt::quality
