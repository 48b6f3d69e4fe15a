// SPDX-License-Identifier: Apache-2.0
#include "data/sample/crop.hpp"

#include <algorithm>
#include <cmath>

#include "image/image.hpp"
#include "image/resize.hpp"

namespace zt::data {
namespace {

// Rounds halves to even, as Python's round() does, which torchvision uses.
int64_t round_half_even(double x) { return std::llrint(x); }

PixelCrop centred(int64_t width, int64_t height, int64_t crop_width, int64_t crop_height) {
  return {(height - crop_height) / 2, (width - crop_width) / 2, crop_height, crop_width};
}

// What torchvision falls back to: the largest centred crop whose ratio is inside the range. A pixel at least
// stays where torchvision would round to none: a sample of 8192 x 32 from a picture of 64 x 64.
PixelCrop fallback_crop(int64_t width, int64_t height, const CropRule& rule) {
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  if (ratio < rule.ratio_min) {
    return centred(width, height, width,
                   std::max<int64_t>(1, round_half_even(static_cast<double>(width) / rule.ratio_min)));
  }
  if (ratio > rule.ratio_max) {
    return centred(width, height,
                   std::max<int64_t>(1, round_half_even(static_cast<double>(height) * rule.ratio_max)),
                   height);
  }
  return centred(width, height, width, height);
}

// An edge in pixels; one that is whole but for rounding becomes whole.
double edge_px(double share, int size) {
  const double edge = share * size, whole = std::round(edge);
  constexpr double kTolerance = 1e-6;
  return std::clamp(std::abs(edge - whole) < kTolerance ? whole : edge, 0.0, static_cast<double>(size));
}

bool is_whole(double x) { return x == std::floor(x); }

}  // namespace

PixelCrop random_resized_crop(int64_t width, int64_t height, const CropRule& rule, const CropDraws& draws) {
  const double area = static_cast<double>(width) * static_cast<double>(height);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target_area = area * draws.uniform(rule.scale_min, rule.scale_max);
    const double ratio = std::exp(draws.uniform(std::log(rule.ratio_min), std::log(rule.ratio_max)));
    const int64_t w = round_half_even(std::sqrt(target_area * ratio));
    const int64_t h = round_half_even(std::sqrt(target_area / ratio));
    if (w <= 0 || w > width || h <= 0 || h > height) continue;
    const int64_t top = draws.below(height - h + 1);
    const int64_t left = draws.below(width - w + 1);
    return {top, left, h, w};
  }
  return fallback_crop(width, height, rule);
}

NormBox normalise(const PixelCrop& crop, int64_t width, int64_t height) {
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  return {static_cast<double>(crop.left) / w, static_cast<double>(crop.top) / h,
          static_cast<double>(crop.left + crop.width) / w, static_cast<double>(crop.top + crop.height) / h};
}

image::Image crop_picture(const image::Image& picture, const NormBox& region, int width, int height) {
  const image::Box box{edge_px(region.left, picture.width), edge_px(region.top, picture.height),
                       edge_px(region.right, picture.width), edge_px(region.bottom, picture.height)};
  if (!is_whole(box.left) || !is_whole(box.top) || !is_whole(box.right) || !is_whole(box.bottom))
    return image::resize_box(picture, box, width, height, image::Filter::Bilinear);
  const int left = static_cast<int>(box.left), top = static_cast<int>(box.top);
  const int crop_width = static_cast<int>(box.right) - left, crop_height = static_cast<int>(box.bottom) - top;
  return image::resize(image::crop(picture, left, top, crop_width, crop_height), width, height,
                       image::Filter::Bilinear);
}

}  // namespace zt::data
