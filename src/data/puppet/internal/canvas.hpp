// SPDX-License-Identifier: Apache-2.0
// Paints shapes with analytic anti-aliasing and keeps mask and labels in step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "data/puppet/internal/geometry.hpp"
#include "data/puppet/puppet.hpp"

namespace zt::data::puppet {

/// How a part is coloured: `colour(p)` with a darker rim of `rim_px`, which keeps arms apart from a torso of
/// their colour.
template <class Colour>
struct Paint {
  PartLabel label;
  Colour colour;
  double rim_px = 1;
};

inline constexpr double kRimDarkness = 0.3;

/// Covers `frame` with `shape` (Capsule or RoundedQuad), where `keep(p)` is not negative: a signed distance
/// that cuts the shape.
template <class Shape, class Colour, class Keep>
void paint_cut(PuppetFrame& frame, const Shape& shape, const Paint<Colour>& paint, Keep keep) {
  const Bounds box = shape.bounds();
  const int left = std::max(0, static_cast<int>(std::floor(box.left - 0.5)));
  const int top = std::max(0, static_cast<int>(std::floor(box.top - 0.5)));
  const int right = std::min(frame.picture.width, static_cast<int>(std::ceil(box.right + 0.5)));
  const int bottom = std::min(frame.picture.height, static_cast<int>(std::ceil(box.bottom + 0.5)));
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const Vec p{x + 0.5, y + 0.5};
      const double distance = shape.distance(p);
      const double coverage = std::clamp(0.5 - std::max(distance, -keep(p)), 0.0, 1.0);
      if (coverage <= 0) continue;
      const double rim = std::clamp(1 + distance / paint.rim_px, 0.0, 1.0);
      const image::Rgb colour = paint.colour(p);
      uint8_t* pixel = frame.picture.at(x, y);
      for (size_t c = 0; c < 3; ++c) {
        const double wanted = colour[c] * (1 - kRimDarkness * rim);
        pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] + coverage * (wanted - pixel[c])));
      }
      uint8_t& mask = *frame.mask.at(x, y);
      mask = static_cast<uint8_t>(std::lround(mask + coverage * (255.0 - mask)));
      if (coverage >= 0.5) *frame.labels.at(x, y) = static_cast<uint8_t>(paint.label);
    }
  }
}

template <class Shape, class Colour>
void paint(PuppetFrame& frame, const Shape& shape, const Paint<Colour>& how) {
  paint_cut(frame, shape, how, [](Vec) { return 1e9; });
}

/// One colour.
template <class Shape>
void paint(PuppetFrame& frame, const Shape& shape, PartLabel label, image::Rgb colour, double rim_px) {
  const auto flat = [colour](Vec) { return colour; };
  paint(frame, shape, Paint<decltype(flat)>{label, flat, rim_px});
}

}  // namespace zt::data::puppet
