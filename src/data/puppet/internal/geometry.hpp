// SPDX-License-Identifier: Apache-2.0
// Points of the picture plane and the two shapes that puppets are made of, as signed distances: negative
// inside, in pixels, so that coverage of a pixel is clamp(1/2 - distance, 0, 1).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace zt::data::puppet {

/// Pixels; x right, y down. The centre of pixel (i, j) is (i + 0.5, j + 0.5).
struct Vec {
  double x = 0;
  double y = 0;
  friend Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y}; }
  friend Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y}; }
  friend Vec operator*(double k, Vec a) { return {k * a.x, k * a.y}; }
};

inline double dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y; }
inline double length(Vec a) { return std::sqrt(dot(a, a)); }
/// Unit vector `angle` radians from straight down, positive towards +x.
inline Vec from_down(double angle) { return {std::sin(angle), std::cos(angle)}; }

/// An axis-parallel region, for skipping pixels that a shape can't touch.
struct Bounds {
  double left = std::numeric_limits<double>::max();
  double top = std::numeric_limits<double>::max();
  double right = std::numeric_limits<double>::lowest();
  double bottom = std::numeric_limits<double>::lowest();
  void include(Vec p, double radius) {
    left = std::min(left, p.x - radius);
    top = std::min(top, p.y - radius);
    right = std::max(right, p.x + radius);
    bottom = std::max(bottom, p.y + radius);
  }
};

/// All points within a radius of a segment; the radius changes linearly along it. a == b is a disc.
struct Capsule {
  Vec a, b;
  double radius_a = 1;
  double radius_b = 1;

  /// Position along the segment of the point nearest to p: 0 at a, 1 at b.
  double along(Vec p) const {
    const Vec ab = b - a;
    const double squared = dot(ab, ab);
    return squared > 0 ? std::clamp(dot(p - a, ab) / squared, 0.0, 1.0) : 0.0;
  }
  double distance(Vec p) const {
    const double t = along(p);
    return length(p - (a + t * (b - a))) - (radius_a + t * (radius_b - radius_a));
  }
  Bounds bounds() const {
    Bounds box;
    box.include(a, radius_a);
    box.include(b, radius_b);
    return box;
  }
};

/// A convex quadrilateral grown by a radius. Requires: corners in clockwise order as seen on the screen.
struct RoundedQuad {
  std::array<Vec, 4> corners;
  double radius = 0;

  double distance(Vec p) const {
    double inside = std::numeric_limits<double>::lowest();
    double nearest = std::numeric_limits<double>::max();
    for (size_t i = 0; i < corners.size(); ++i) {
      const Capsule edge{corners[i], corners[(i + 1) % corners.size()], 0, 0};
      const Vec along = edge.b - edge.a;
      const Vec outward{along.y, -along.x};
      inside = std::max(inside, dot(p - edge.a, outward) / std::max(length(along), 1e-9));
      nearest = std::min(nearest, edge.distance(p));
    }
    return (inside < 0 ? inside : nearest) - radius;
  }
  Bounds bounds() const {
    Bounds box;
    for (const Vec corner : corners) box.include(corner, radius);
    return box;
  }
};

}  // namespace zt::data::puppet
