// SPDX-License-Identifier: Apache-2.0
#include "quality/foreground.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "quality/internal/check.hpp"
#include "quality/picture.hpp"

namespace zt::quality {
namespace {

constexpr uint8_t kHalfCovered = 128;

}  // namespace

image::Image foreground_mask(const image::Image& picture, const image::Image& background, int threshold) {
  internal::require_same_shape(picture, background);
  image::Image mask(picture.width, picture.height, 1);
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    if (std::abs(int{picture.pixels[i]} - int{background.pixels[i]}) > threshold) {
      mask.pixels[i / static_cast<size_t>(picture.channels)] = 255;
    }
  }
  return mask;
}

double mask_iou(const image::Image& a, const image::Image& b) {
  internal::require_mask_for(a, b);
  internal::require_mask_for(b, a);
  int64_t both = 0, either = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const bool in_a = a.pixels[i] >= kHalfCovered, in_b = b.pixels[i] >= kHalfCovered;
    both += in_a && in_b;
    either += in_a || in_b;
  }
  return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either);
}

std::optional<double> foreground_psnr(const image::Image& picture, const image::Image& truth,
                                      const image::Image& truth_mask) {
  internal::require_same_shape(picture, truth);
  internal::require_mask_for(truth_mask, truth);
  const auto channels = static_cast<size_t>(picture.channels);
  int64_t sum = 0, count = 0;
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    if (truth_mask.pixels[i / channels] < kHalfCovered) continue;
    const int difference = int{picture.pixels[i]} - int{truth.pixels[i]};
    sum += difference * difference;
    ++count;
  }
  if (count == 0) return std::nullopt;
  if (sum == 0) return kPsnrOfEqualPictures;
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(count) / static_cast<double>(sum));
}

}  // namespace zt::quality
