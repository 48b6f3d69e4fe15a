// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/region.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace zt::data {
namespace {

constexpr double kRegionScale = 1.25;
constexpr int kMaxSamplesPerSide = 4;

// Pixels as seen from outside: positions beyond the edge are allowed.
class BorderedPicture {
 public:
  BorderedPicture(const image::Image& picture, Border border) : picture_(picture), border_(border) {}

  // Adds the pixel at a position, channels 0..255.
  void add_nearest(PicturePoint at, std::array<float, 3>& sum) const {
    add_pixel(to_pixel(std::floor(at.x), picture_.width), to_pixel(std::floor(at.y), picture_.height), 1,
              sum);
  }

  // Adds the bilinear sample at a position.
  void add_bilinear(PicturePoint at, std::array<float, 3>& sum) const {
    // Pixel centres lie at half-integers.
    const double left = std::floor(at.x - 0.5), top = std::floor(at.y - 0.5);
    const auto fx = static_cast<float>(at.x - 0.5 - left), fy = static_cast<float>(at.y - 0.5 - top);
    const int x = to_pixel(left, picture_.width), y = to_pixel(top, picture_.height);
    add_pixel(x, y, (1 - fx) * (1 - fy), sum);
    add_pixel(x + 1, y, fx * (1 - fy), sum);
    add_pixel(x, y + 1, (1 - fx) * fy, sum);
    add_pixel(x + 1, y + 1, fx * fy, sum);
  }

 private:
  // Far positions are moved to just beyond the edge, where they mean the same and fit an int.
  static int to_pixel(double position, int size) {
    return static_cast<int>(std::clamp(position, -2.0, size + 1.0));
  }

  void add_pixel(int x, int y, float weight, std::array<float, 3>& sum) const {
    if (border_ == Border::Repeat) {
      x = std::clamp(x, 0, picture_.width - 1);
      y = std::clamp(y, 0, picture_.height - 1);
    } else if (x < 0 || y < 0 || x >= picture_.width || y >= picture_.height) {
      return;
    }
    const uint8_t* pixel = picture_.at(x, y);
    for (size_t c = 0; c < 3; ++c) sum[c] += weight * static_cast<float>(pixel[c]);
  }

  const image::Image& picture_;
  Border border_;
};

}  // namespace

Region region_around(PicturePoint centre, PicturePoint rim) {
  const double dx = rim.x - centre.x, dy = rim.y - centre.y;
  return {centre, 2 * std::hypot(dx, dy) * kRegionScale, std::atan2(dx, -dy)};
}

Region whole_picture(int width, int height) {
  return {{width / 2.0, height / 2.0}, static_cast<double>(std::max(width, height)), 0};
}

std::vector<Region> picture_parts(int width, int height) {
  const double side = std::min(width, height) / 2.0;
  // So many half-overlapping squares that the last one ends at the picture's edge or beyond.
  const auto count = [&](int length) {
    return static_cast<int>(std::ceil((length - side) / (side / 2))) + 1;
  };
  std::vector<Region> parts;
  for (int row = 0; row < count(height); ++row) {
    for (int column = 0; column < count(width); ++column) {
      parts.push_back({{(column + 1) * side / 2, (row + 1) * side / 2}, side, 0});
    }
  }
  return parts;
}

PicturePoint to_picture(const Region& region, double u, double v) {
  const double right = (u - 0.5) * region.side, down = (v - 0.5) * region.side;
  const double c = std::cos(region.angle), s = std::sin(region.angle);
  return {region.centre.x + c * right - s * down, region.centre.y + s * right + c * down};
}

std::vector<float> sample_region(const image::Image& picture, const Region& region, int size, Border border,
                                 float low, float high) {
  const BorderedPicture source(picture, border);
  const int k = static_cast<int>(std::clamp(region.side / size, 1.0, double{kMaxSamplesPerSide}));
  const int fine_size = size * k;
  // The map is affine: walk it by adding one step of the fine grid to the right and one down.
  const PicturePoint origin = to_picture(region, 0, 0);
  const PicturePoint right_end = to_picture(region, 1, 0), down_end = to_picture(region, 0, 1);
  const PicturePoint right{(right_end.x - origin.x) / fine_size, (right_end.y - origin.y) / fine_size};
  const PicturePoint down{(down_end.x - origin.x) / fine_size, (down_end.y - origin.y) / fine_size};
  const float scale = (high - low) / (255.0F * static_cast<float>(k * k));

  std::vector<float> values;
  values.reserve(static_cast<size_t>(size) * static_cast<size_t>(size) * 3);
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      std::array<float, 3> sum{};
      for (int i = 0; i < k * k; ++i) {
        const double u = column * k + i % k + 0.5, v = row * k + i / k + 0.5;
        const PicturePoint at{origin.x + u * right.x + v * down.x, origin.y + u * right.y + v * down.y};
        // Where many samples are averaged anyway, interpolating each buys nothing.
        k == 1 ? source.add_bilinear(at, sum) : source.add_nearest(at, sum);
      }
      for (const float channel : sum) values.push_back(low + scale * channel);
    }
  }
  return values;
}

}  // namespace zt::data
