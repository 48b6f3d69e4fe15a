// SPDX-License-Identifier: Apache-2.0
#include "image/draw.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numbers>
#include <stdexcept>
#include <utility>

namespace zt::image {
namespace {

// Coordinates in 1/65536 pixel, wide enough for any int.
constexpr int kFractionBits = 16;
constexpr int64_t kOne = int64_t{1} << kFractionBits;
struct FinePoint {
  int64_t x = 0;
  int64_t y = 0;
};
FinePoint fine(Point p) { return {int64_t{p.x} * kOne, int64_t{p.y} * kOne}; }

void put(Image& canvas, int64_t x, int64_t y, Rgb colour) {
  if (x < 0 || y < 0 || x >= canvas.width || y >= canvas.height) return;
  std::copy_n(colour.data(), canvas.channels, canvas.at(static_cast<int>(x), static_cast<int>(y)));
}

// Pixels from..to of a row, both included.
void fill_row(Image& canvas, int64_t y, int64_t from, int64_t to, Rgb colour) {
  if (y < 0 || y >= canvas.height) return;
  from = std::max<int64_t>(from, 0);
  to = std::min<int64_t>(to, canvas.width - 1);
  for (int64_t x = from; x <= to; ++x) put(canvas, x, y, colour);
}

// Cuts the segment to [0, right] x [0, bottom] as cv2.clipLine does (Cohen-Sutherland, offsets truncated to
// integers); false if nothing of it is inside.
bool clip_segment(int64_t right, int64_t bottom, FinePoint& a, FinePoint& b) {
  const auto side_x = [&](const FinePoint& p) { return (p.x < 0 ? 1 : 0) + (p.x > right ? 2 : 0); };
  const auto side = [&](const FinePoint& p) {
    return side_x(p) + (p.y < 0 ? 4 : 0) + (p.y > bottom ? 8 : 0);
  };
  const auto part = [](int64_t distance, int64_t rise, int64_t run) {
    return static_cast<int64_t>(static_cast<double>(distance) * static_cast<double>(rise) /
                                static_cast<double>(run));
  };
  int side_a = side(a), side_b = side(b);
  if ((side_a & side_b) != 0 || (side_a | side_b) == 0) return (side_a | side_b) == 0;
  const auto move_to_y = [&](FinePoint& p, int& code) {
    const int64_t edge = code < 8 ? 0 : bottom;
    p.x += part(edge - p.y, b.x - a.x, b.y - a.y);
    p.y = edge;
    code = side_x(p);
  };
  if (side_a & 12) move_to_y(a, side_a);
  if (side_b & 12) move_to_y(b, side_b);
  if ((side_a & side_b) != 0 || (side_a | side_b) == 0) return (side_a | side_b) == 0;
  const auto move_to_x = [&](FinePoint& p, int& code) {
    const int64_t edge = code == 1 ? 0 : right;
    p.y += part(edge - p.x, b.y - a.y, b.x - a.x);
    p.x = edge;
    code = 0;
  };
  if (side_a) move_to_x(a, side_a);
  if (side_b) move_to_x(b, side_b);
  return true;
}

// One pixel wide, between pixel centres (Bresenham, 8-connected, always drawn from left to right).
void thin_line(Image& canvas, Point from, Point to, Rgb colour) {
  FinePoint a{from.x, from.y}, b{to.x, to.y};
  if (!clip_segment(canvas.width - 1, canvas.height - 1, a, b)) return;
  if (b.x < a.x) std::swap(a, b);
  const int64_t step_y = b.y < a.y ? -1 : 1;
  int64_t along = b.x - a.x, across = std::abs(b.y - a.y);
  const bool is_steep = across > along;
  if (is_steep) std::swap(along, across);
  int64_t error = along - 2 * across;
  for (int64_t i = 0; i <= along; ++i) {
    put(canvas, a.x, a.y, colour);
    const bool steps_aside = error < 0;
    error += (steps_aside ? 2 * along : 0) - 2 * across;
    if (!is_steep || steps_aside) ++a.x;
    if (is_steep || steps_aside) a.y += step_y;
  }
}

// One pixel wide, between fine points: a fixed-point step per pixel of the longer axis.
void thin_line(Image& canvas, FinePoint a, FinePoint b, Rgb colour) {
  if (!clip_segment((int64_t{canvas.width} << kFractionBits) - 1,
                    (int64_t{canvas.height} << kFractionBits) - 1, a, b)) {
    return;
  }
  const bool is_flat = std::abs(b.x - a.x) > std::abs(b.y - a.y);
  if (is_flat ? b.x < a.x : b.y < a.y) std::swap(a, b);
  const int64_t dx = b.x - a.x, dy = b.y - a.y;
  put(canvas, (b.x + kOne / 2) >> kFractionBits, (b.y + kOne / 2) >> kFractionBits, colour);
  // The odd divisor avoids zero, as in OpenCV.
  const int64_t step = is_flat ? dy * kOne / (dx | 1) : dx * kOne / (dy | 1);
  const int64_t count = (is_flat ? dx : dy) >> kFractionBits;
  const FinePoint start{a.x + kOne / 2, a.y + kOne / 2};
  for (int64_t i = 0; i <= count; ++i) {
    if (is_flat) {
      put(canvas, (start.x >> kFractionBits) + i, (start.y + i * step) >> kFractionBits, colour);
    } else {
      put(canvas, (start.x + i * step) >> kFractionBits, (start.y >> kFractionBits) + i, colour);
    }
  }
}

// Walks down one side of a convex polygon.
struct Side {
  size_t corner;     // the corner it is going to
  size_t direction;  // 1 or size - 1, modulo the number of corners
  int64_t x = -kOne;
  int64_t slope = 0;  // fine x per row
  int64_t end_y;      // the row of that corner
};

// Between `corners` (fine), whose rows are rounded to the nearest when `rows` was made.
void fill_between(Image& canvas, std::span<const FinePoint> corners, std::span<const int64_t> rows,
                  Rgb colour) {
  const size_t n = corners.size();
  const auto highest = std::min_element(corners.begin(), corners.end(),
                                        [](const FinePoint& a, const FinePoint& b) { return a.y < b.y; });
  const auto top = static_cast<size_t>(highest - corners.begin());
  const int64_t last_row = std::min<int64_t>(*std::max_element(rows.begin(), rows.end()), canvas.height - 1);
  Side sides[2] = {{.corner = top, .direction = 1, .end_y = rows[top]},
                   {.corner = top, .direction = n - 1, .end_y = rows[top]}};
  int64_t edges_left = static_cast<int64_t>(n);
  for (int64_t y = rows[top]; y <= last_row; ++y) {
    for (Side& side : sides) {
      if (y < side.end_y) continue;
      size_t from = side.corner;
      size_t to = (from + side.direction) % n;
      while (edges_left-- > 0) {
        if (rows[to] > y) {
          const int64_t num_rows = rows[to] - y;
          side.end_y = rows[to];
          side.slope = ((corners[to].x - corners[from].x) * 2 + num_rows) / (2 * num_rows);
          side.x = corners[from].x;
          side.corner = to;
          break;
        }
        from = to;
        to = (to + side.direction) % n;
      }
    }
    if (edges_left < 0) break;
    if (y < 0) {  // go to the canvas, or to the next corner, in one step
      const int64_t skipped = std::min({-y, sides[0].end_y - y, sides[1].end_y - y});
      for (Side& side : sides) side.x += side.slope * skipped;
      y += skipped - 1;
      continue;
    }
    const auto [left, right] = std::minmax(sides[0].x, sides[1].x);
    fill_row(canvas, y, (left + kOne / 2) >> kFractionBits, (right + kOne / 2) >> kFractionBits, colour);
    for (Side& side : sides) side.x += side.slope;
  }
}

bool is_outside(const Image& canvas, std::span<const Point> corners) {
  const auto all = [&](auto&& test) { return std::all_of(corners.begin(), corners.end(), test); };
  return all([](Point p) { return p.x < 0; }) || all([](Point p) { return p.y < 0; }) ||
         all([&](Point p) { return p.x >= canvas.width; }) ||
         all([&](Point p) { return p.y >= canvas.height; });
}

// The body of a thick line: the rectangle around the segment, its border drawn with fine lines.
void fill_fine_rectangle(Image& canvas, std::span<const FinePoint, 4> corners, Rgb colour) {
  int64_t rows[4];
  Point rounded[4];
  for (size_t i = 0; i < 4; ++i) {
    thin_line(canvas, corners[(i + 3) % 4], corners[i], colour);
    rows[i] = (corners[i].y + kOne / 2) >> kFractionBits;
    rounded[i] = {static_cast<int>((corners[i].x + kOne / 2) >> kFractionBits), static_cast<int>(rows[i])};
  }
  if (!is_outside(canvas, rounded)) fill_between(canvas, corners, rows, colour);
}

}  // namespace

void fill_circle(Image& canvas, Point center, int radius, Rgb colour) {
  if (radius < 0) throw std::invalid_argument("a circle's radius is negative");
  int64_t error = 0, dx = radius, dy = 0, plus = 1, minus = 2 * int64_t{radius} - 1;
  while (dx >= dy) {
    for (const int64_t sign : {-1, 1}) {
      fill_row(canvas, center.y + sign * dy, center.x - dx, center.x + dx, colour);
      fill_row(canvas, center.y + sign * dx, center.x - dy, center.x + dy, colour);
    }
    ++dy;
    error += plus;
    plus += 2;
    if (error > 0) {
      error -= minus;
      --dx;
      minus -= 2;
    }
  }
}

void line(Image& canvas, Point from, Point to, Rgb colour, int thickness) {
  if (thickness < 1 || thickness > 32767)
    throw std::invalid_argument("a line's thickness is not in 1..32767");
  if (thickness == 1) return thin_line(canvas, from, to, colour);
  const double dx = static_cast<double>(from.x) - to.x, dy = static_cast<double>(to.y) - from.y;
  const int64_t half = int64_t{thickness} << (kFractionBits - 1);
  const double length = std::sqrt(dx * dx + dy * dy);
  if (length > 0) {
    // Odd thicknesses get half a pixel more, so that they are symmetric around the middle row.
    const double reach =
        (static_cast<double>(half) + (thickness & 1) * static_cast<double>(kOne) * 0.5) / length;
    const int64_t side_x = std::llrint(dy * reach), side_y = std::llrint(dx * reach);
    const FinePoint a = fine(from), b = fine(to);
    const FinePoint corners[4] = {{a.x + side_x, a.y + side_y},
                                  {a.x - side_x, a.y - side_y},
                                  {b.x - side_x, b.y - side_y},
                                  {b.x + side_x, b.y + side_y}};
    fill_fine_rectangle(canvas, corners, colour);
  }
  const int radius = static_cast<int>((half + kOne / 2) >> kFractionBits);
  fill_circle(canvas, from, radius, colour);
  fill_circle(canvas, to, radius, colour);
}

void fill_convex_poly(Image& canvas, std::span<const Point> corners, Rgb colour) {
  std::vector<FinePoint> fine_corners;
  std::vector<int64_t> rows;
  for (size_t i = 0; i < corners.size(); ++i) {
    thin_line(canvas, corners[i == 0 ? corners.size() - 1 : i - 1], corners[i], colour);
    fine_corners.push_back(fine(corners[i]));
    rows.push_back(corners[i].y);
  }
  if (corners.size() >= 3 && !is_outside(canvas, corners)) fill_between(canvas, fine_corners, rows, colour);
}

std::vector<Point> ellipse_poly(Point center, int half_width, int half_height, int angle_degrees) {
  // OpenCV's table of sines has seven decimals in float; rounding likewise keeps every corner equal.
  const auto sine = [](int degrees) {
    const double exact = std::sin(((degrees % 360) + 360) % 360 * std::numbers::pi / 180);
    return static_cast<double>(static_cast<float>(std::nearbyint(exact * 1e7) / 1e7));
  };
  const double sin_turn = sine(angle_degrees), cos_turn = sine(angle_degrees + 90);
  std::vector<Point> corners;
  for (int degrees = 0; degrees <= 360; ++degrees) {
    const double x = half_width * sine(degrees + 90), y = half_height * sine(degrees);
    const Point corner{static_cast<int>(std::lrint(center.x + x * cos_turn - y * sin_turn)),
                       static_cast<int>(std::lrint(center.y + x * sin_turn + y * cos_turn))};
    if (corners.empty() || corner != corners.back()) corners.push_back(corner);
  }
  if (corners.size() == 1) corners.assign(2, center);
  return corners;
}

void fill_ellipse_poly(Image& canvas, Point center, int half_width, int half_height, int angle_degrees,
                       Rgb colour) {
  fill_convex_poly(canvas, ellipse_poly(center, half_width, half_height, angle_degrees), colour);
}

void fill_rectangle(Image& canvas, Point top_left, int width, int height, Rgb colour) {
  const int64_t bottom = std::min<int64_t>(int64_t{top_left.y} + height, canvas.height);
  for (int64_t y = std::max(0, top_left.y); y < bottom; ++y) {
    fill_row(canvas, y, top_left.x, int64_t{top_left.x} + width - 1, colour);
  }
}

}  // namespace zt::image
