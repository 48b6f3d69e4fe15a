// SPDX-License-Identifier: Apache-2.0
// Drawing without antialiasing, pixel for pixel as OpenCV 4.8 does it (cv2.circle, cv2.line,
// cv2.ellipse2Poly, cv2.fillConvexPoly, cv2.rectangle with line type 8), because pose pictures must look as
// the reference's do; and a small built-in font for contact sheets. Everything may lie partly or wholly
// outside the canvas. Requires everywhere: the canvas is not empty. On a canvas of one channel the colour's
// first value counts. Source: OpenCV modules/imgproc/src/drawing.cpp; tests hold pictures made by cv2.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "image/image.hpp"

namespace zt::image {

/// A pixel's position.
struct Point {
  int x = 0;
  int y = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

/// A filled circle. Requires: radius >= 0. Equals cv2.circle(canvas, center, radius, colour, -1).
void fill_circle(Image& canvas, Point center, int radius, Rgb colour);

/// A line with round ends. Equals cv2.line(canvas, from, to, colour, thickness). Requires: 1 <= thickness <=
/// 32767.
void line(Image& canvas, Point from, Point to, Rgb colour, int thickness = 1);

/// A filled convex polygon, border included. Equals cv2.fillConvexPoly(canvas, corners, colour).
void fill_convex_poly(Image& canvas, std::span<const Point> corners, Rgb colour);

/// Corners of an ellipse, one a degree, equal neighbours merged. `angle_degrees` turns clockwise (y points
/// down). Equals cv2.ellipse2Poly(center, (half_width, half_height), angle, 0, 360, 1).
std::vector<Point> ellipse_poly(Point center, int half_width, int half_height, int angle_degrees);

/// fill_convex_poly of ellipse_poly: a limb of the reference's draw_bodypose.
void fill_ellipse_poly(Image& canvas, Point center, int half_width, int half_height, int angle_degrees,
                       Rgb colour);

/// A filled rectangle [left, left + width) x [top, top + height).
void fill_rectangle(Image& canvas, Point top_left, int width, int height, Rgb colour);

/// Text in a fixed dot-matrix font for printable ASCII, one line; other bytes show as "?". Each character is
/// 6 * scale wide and 8 * scale high.
void text(Image& canvas, Point top_left, std::string_view characters, Rgb colour, int scale = 1);

}  // namespace zt::image
