// SPDX-License-Identifier: Apache-2.0
#include "quality/picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "quality/internal/check.hpp"

namespace zt::quality {
namespace {

using internal::require_same_shape;

double psnr_from(double mean_squared_error) {
  return mean_squared_error == 0 ? kPsnrOfEqualPictures : 10 * std::log10(255.0 * 255.0 / mean_squared_error);
}

// One channel of a picture as numbers.
struct Plane {
  int width = 0;
  int height = 0;
  std::vector<double> values;
  double at(int x, int y) const {
    return values[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
  }
};

Plane plane_of(const image::Image& picture, int channel) {
  Plane plane{picture.width, picture.height, {}};
  plane.values.reserve(picture.pixels.size() / static_cast<size_t>(picture.channels));
  for (size_t i = static_cast<size_t>(channel); i < picture.pixels.size();
       i += static_cast<size_t>(picture.channels)) {
    plane.values.push_back(picture.pixels[i]);
  }
  return plane;
}

Plane product(const Plane& a, const Plane& b) {
  Plane result = a;
  for (size_t i = 0; i < result.values.size(); ++i) result.values[i] *= b.values[i];
  return result;
}

// Weighted means over every window that lies wholly inside.
Plane window_means(const Plane& plane, const std::vector<double>& weights) {
  const int size = static_cast<int>(weights.size());
  Plane rows{plane.width - size + 1, plane.height, {}};
  for (int y = 0; y < rows.height; ++y) {
    for (int x = 0; x < rows.width; ++x) {
      double sum = 0;
      for (int k = 0; k < size; ++k) sum += weights[static_cast<size_t>(k)] * plane.at(x + k, y);
      rows.values.push_back(sum);
    }
  }
  Plane means{rows.width, plane.height - size + 1, {}};
  for (int y = 0; y < means.height; ++y) {
    for (int x = 0; x < means.width; ++x) {
      double sum = 0;
      for (int k = 0; k < size; ++k) sum += weights[static_cast<size_t>(k)] * rows.at(x, y + k);
      means.values.push_back(sum);
    }
  }
  return means;
}

struct WindowShape {
  std::vector<double> weights;    // of one side; the window is their outer product
  double covariance_scale = 1.0;  // n / (n - 1) for sample variances
};

WindowShape shape_of(SsimWindow window) {
  if (window == SsimWindow::Uniform7) return {std::vector<double>(7, 1.0 / 7), 49.0 / 48.0};
  constexpr int kRadius = 5;
  constexpr double kSigma = 1.5;
  WindowShape shape;
  double sum = 0;
  for (int i = -kRadius; i <= kRadius; ++i) {
    shape.weights.push_back(std::exp(-0.5 * i * i / (kSigma * kSigma)));
    sum += shape.weights.back();
  }
  for (double& weight : shape.weights) weight /= sum;
  return shape;
}

double ssim_of_planes(const Plane& a, const Plane& b, const WindowShape& shape) {
  const int side = static_cast<int>(shape.weights.size());
  if (a.width < side || a.height < side)
    throw std::invalid_argument("a picture is smaller than the SSIM window");
  constexpr double kC1 = (0.01 * 255) * (0.01 * 255), kC2 = (0.03 * 255) * (0.03 * 255);
  const Plane mean_a = window_means(a, shape.weights), mean_b = window_means(b, shape.weights);
  const Plane mean_aa = window_means(product(a, a), shape.weights),
              mean_bb = window_means(product(b, b), shape.weights);
  const Plane mean_ab = window_means(product(a, b), shape.weights);
  double sum = 0;
  for (size_t i = 0; i < mean_a.values.size(); ++i) {
    const double ma = mean_a.values[i], mb = mean_b.values[i];
    const double variance_a = shape.covariance_scale * (mean_aa.values[i] - ma * ma);
    const double variance_b = shape.covariance_scale * (mean_bb.values[i] - mb * mb);
    const double covariance = shape.covariance_scale * (mean_ab.values[i] - ma * mb);
    sum += (2 * ma * mb + kC1) * (2 * covariance + kC2) /
           ((ma * ma + mb * mb + kC1) * (variance_a + variance_b + kC2));
  }
  return sum / static_cast<double>(mean_a.values.size());
}

}  // namespace

double mse(const image::Image& a, const image::Image& b) {
  require_same_shape(a, b);
  int64_t sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const int difference = int{a.pixels[i]} - int{b.pixels[i]};
    sum += difference * difference;
  }
  return static_cast<double>(sum) / static_cast<double>(a.pixels.size());
}

double psnr(const image::Image& a, const image::Image& b) { return psnr_from(mse(a, b)); }

double psnr_disco(const image::Image& a, const image::Image& b) {
  require_same_shape(a, b);
  int64_t sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const auto difference = static_cast<uint8_t>(a.pixels[i] - b.pixels[i]);
    sum += static_cast<uint8_t>(difference * difference);  // both wrap round at 256, as numpy's uint8 does
  }
  return psnr_from(static_cast<double>(sum) / static_cast<double>(a.pixels.size()));
}

double l1(const image::Image& a, const image::Image& b) {
  require_same_shape(a, b);
  int64_t sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  return static_cast<double>(sum) / (255.0 * static_cast<double>(a.pixels.size()));
}

image::Image luma(const image::Image& rgb) {
  if (rgb.channels != 3) throw std::invalid_argument("luma of a picture without colours");
  constexpr int kRed = 9798, kGreen = 19235, kBlue = 3735;  // .299, .587, .114 in units of 2^-15
  image::Image grey(rgb.width, rgb.height, 1);
  for (size_t i = 0; i < grey.pixels.size(); ++i) {
    const uint8_t* pixel = &rgb.pixels[3 * i];
    grey.pixels[i] =
        static_cast<uint8_t>((kRed * pixel[0] + kGreen * pixel[1] + kBlue * pixel[2] + (1 << 14)) >> 15);
  }
  return grey;
}

double ssim(const image::Image& a, const image::Image& b, SsimWindow window) {
  require_same_shape(a, b);
  const WindowShape shape = shape_of(window);
  if (a.channels == 1) return ssim_of_planes(plane_of(a, 0), plane_of(b, 0), shape);
  return ssim_of_planes(plane_of(luma(a), 0), plane_of(luma(b), 0), shape);
}

double ssim_per_channel(const image::Image& a, const image::Image& b, SsimWindow window) {
  require_same_shape(a, b);
  const WindowShape shape = shape_of(window);
  double sum = 0;
  for (int c = 0; c < a.channels; ++c) sum += ssim_of_planes(plane_of(a, c), plane_of(b, c), shape);
  return sum / a.channels;
}

}  // namespace zt::quality
