// SPDX-License-Identifier: Apache-2.0
#include "data/keypoints/draw_pose.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "image/draw.hpp"
#include "image/image.hpp"

namespace zt::data {
namespace {

using image::Image;
using image::Point;
using image::Rgb;

constexpr std::array<Rgb, kNumBody> kColours = {{{255, 0, 0},
                                                 {255, 85, 0},
                                                 {255, 170, 0},
                                                 {255, 255, 0},
                                                 {170, 255, 0},
                                                 {85, 255, 0},
                                                 {0, 255, 0},
                                                 {0, 255, 85},
                                                 {0, 255, 170},
                                                 {0, 255, 255},
                                                 {0, 170, 255},
                                                 {0, 85, 255},
                                                 {0, 0, 255},
                                                 {85, 0, 255},
                                                 {170, 0, 255},
                                                 {255, 0, 255},
                                                 {255, 0, 170},
                                                 {255, 0, 85}}};
constexpr std::array<std::array<uint8_t, 2>, 17> kLimbs = {{{1, 2},
                                                            {1, 5},
                                                            {2, 3},
                                                            {3, 4},
                                                            {5, 6},
                                                            {6, 7},
                                                            {1, 8},
                                                            {8, 9},
                                                            {9, 10},
                                                            {1, 11},
                                                            {11, 12},
                                                            {12, 13},
                                                            {1, 0},
                                                            {0, 14},
                                                            {14, 16},
                                                            {0, 15},
                                                            {15, 17}}};
constexpr size_t kNumFingerBones = 20;
constexpr Rgb kHandJointColour{0, 0, 255};
constexpr double kLimbBrightness = 0.6;

// Pixel sizes of src/dwpose/util.py, for a picture whose short side is the reference's.
struct ReferenceSizes {
  int limb = 4;        // half the width of an ellipse
  int joint = 4;       // radius
  int finger = 2;      // line thickness
  int hand_joint = 4;  // radius
  int face = 3;        // radius
};

// Radii of the puppet style as shares of the short side.
constexpr double kLimbRadius = 0.012, kJointRadius = 0.018, kFingerRadius = 0.006, kFaceRadius = 0.006;

// Bone b of a hand joins two of its points: five fingers of four bones, each from the wrist outwards.
std::array<size_t, 2> finger_bone(size_t b) { return {b % 4 == 0 ? 0 : b, b + 1}; }

// HSV (b / 20, 1, 1) by the formula of colorsys and matplotlib, whose rounding decides whether 229.5 becomes
// 229 or 230; then rounded to bytes as OpenCV rounds a colour of doubles.
Rgb finger_colour(size_t b) {
  const double sextant = static_cast<double>(b) / static_cast<double>(kNumFingerBones) * 6.0;
  const int whole = static_cast<int>(sextant);
  const double fraction = sextant - whole;
  const auto byte = [](double value) { return static_cast<uint8_t>(std::lrint(value * 255.0)); };
  const uint8_t falling = byte(1.0 - fraction), rising = byte(1.0 - (1.0 - fraction));
  switch (whole) {
    case 0:
      return {255, rising, 0};
    case 1:
      return {falling, 255, 0};
    case 2:
      return {0, 255, rising};
    case 3:
      return {0, falling, 255};
    case 4:
      return {rising, 0, 255};
    default:
      return {255, 0, falling};
  }
}

std::span<const Person> drawn_people(const Keypoints& keypoints, const DrawOptions& options) {
  const std::span<const Person> people(keypoints.people);
  return options.all_people ? people : people.first(std::min<size_t>(1, people.size()));
}

bool is_drawn(const Keypoint& p) { return p.present() && p.confidence >= kMinDrawnConfidence; }

// The reference's style: OpenCV's integer drawing.

// Far outside every picture, and small enough for integer drawing.
constexpr double kFarPx = 1 << 20;

int truncated(double x) { return static_cast<int>(std::clamp(x, -kFarPx, kFarPx)); }

Point pixel(const Keypoint& p, const Image& canvas) {
  return {truncated(double{p.x} * canvas.width), truncated(double{p.y} * canvas.height)};
}

void draw_ellipse_limb(Image& canvas, const Keypoint& from, const Keypoint& to, int half_width, Rgb colour) {
  const double x0 = double{from.x} * canvas.width, x1 = double{to.x} * canvas.width;
  const double y0 = double{from.y} * canvas.height, y1 = double{to.y} * canvas.height;
  const double length = std::sqrt((y0 - y1) * (y0 - y1) + (x0 - x1) * (x0 - x1));
  const double angle = std::atan2(y0 - y1, x0 - x1) * 180.0 / std::numbers::pi;
  image::fill_ellipse_poly(canvas, {truncated((x0 + x1) / 2), truncated((y0 + y1) / 2)},
                           truncated(length / 2), half_width, truncated(angle), colour);
}

void draw_reference_bodies(Image& canvas, std::span<const Person> people, const ReferenceSizes& sizes) {
  for (size_t i = 0; i < kLimbs.size(); ++i) {
    for (const Person& person : people) {
      const Keypoint &from = person.body[kLimbs[i][0]], &to = person.body[kLimbs[i][1]];
      if (is_drawn(from) && is_drawn(to)) draw_ellipse_limb(canvas, from, to, sizes.limb, kColours[i]);
    }
  }
  for (uint8_t& value : canvas.pixels) value = static_cast<uint8_t>(value * kLimbBrightness);
  for (size_t i = 0; i < kNumBody; ++i) {
    for (const Person& person : people) {
      if (is_drawn(person.body[i]))
        image::fill_circle(canvas, pixel(person.body[i], canvas), sizes.joint, kColours[i]);
    }
  }
}

// Hands and faces leave out points in the first pixel row and column: the reference takes them for absent.
bool is_inside(Point p) { return p.x > 0 && p.y > 0; }

void draw_reference_hand(Image& canvas, std::span<const Keypoint> hand, const ReferenceSizes& sizes) {
  if (hand.size() != kNumHand) return;
  for (size_t b = 0; b < kNumFingerBones; ++b) {
    const auto [i, j] = finger_bone(b);
    const Point from = pixel(hand[i], canvas), to = pixel(hand[j], canvas);
    if (is_drawn(hand[i]) && is_drawn(hand[j]) && is_inside(from) && is_inside(to))
      image::line(canvas, from, to, finger_colour(b), sizes.finger);
  }
  for (const Keypoint& p : hand) {
    const Point center = pixel(p, canvas);
    if (is_drawn(p) && is_inside(center))
      image::fill_circle(canvas, center, sizes.hand_joint, kHandJointColour);
  }
}

ReferenceSizes reference_sizes(const Image& canvas, const DrawOptions& options) {
  ReferenceSizes sizes;
  if (options.reference_short_side <= 0) return sizes;
  const double scale =
      static_cast<double>(std::min(canvas.width, canvas.height)) / options.reference_short_side;
  for (int* size : {&sizes.limb, &sizes.joint, &sizes.finger, &sizes.hand_joint, &sizes.face})
    *size = std::max(1, static_cast<int>(std::lround(*size * scale)));
  return sizes;
}

void draw_reference(Image& canvas, std::span<const Person> people, const DrawOptions& options) {
  const ReferenceSizes sizes = reference_sizes(canvas, options);
  draw_reference_bodies(canvas, people, sizes);
  if (options.hands) {
    for (const auto hand : {&Person::left_hand, &Person::right_hand}) {
      for (const Person& person : people) draw_reference_hand(canvas, person.*hand, sizes);
    }
  }
  if (!options.face) return;
  for (const Person& person : people) {
    for (const Keypoint& p : person.face) {
      const Point center = pixel(p, canvas);
      if (is_drawn(p) && is_inside(center)) image::fill_circle(canvas, center, sizes.face, image::kWhite);
    }
  }
}

// The puppets' style: anti-aliased capsules.

// All points within `radius` of the segment; a pixel at its border is covered by radius - distance + 1/2.
void blend_capsule(Image& canvas, const Keypoint& from, const Keypoint& to, double radius, Rgb colour) {
  const double x0 = double{from.x} * canvas.width, x1 = double{to.x} * canvas.width;
  const double y0 = double{from.y} * canvas.height, y1 = double{to.y} * canvas.height;
  const double dx = x1 - x0, dy = y1 - y0, squared = dx * dx + dy * dy, reach = radius + 1;
  const auto bound = [](double value, int size) {
    return static_cast<int>(std::clamp(value, 0.0, double(size)));
  };
  const int left = bound(std::min(x0, x1) - reach, canvas.width),
            right = bound(std::max(x0, x1) + reach + 1, canvas.width);
  const int top = bound(std::min(y0, y1) - reach, canvas.height),
            bottom = bound(std::max(y0, y1) + reach + 1, canvas.height);
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const double px = x + 0.5 - x0, py = y + 0.5 - y0;
      const double along = squared > 0 ? std::clamp((px * dx + py * dy) / squared, 0.0, 1.0) : 0.0;
      const double coverage =
          std::clamp(radius - std::hypot(px - along * dx, py - along * dy) + 0.5, 0.0, 1.0);
      if (coverage == 0) continue;
      uint8_t* p = canvas.at(x, y);
      for (size_t c = 0; c < 3; ++c)
        p[c] = static_cast<uint8_t>(std::lrint(p[c] + coverage * (colour[c] - p[c])));
    }
  }
}

Rgb dimmed(Rgb colour) {
  for (uint8_t& value : colour) value = static_cast<uint8_t>(value * kLimbBrightness);
  return colour;
}

void draw_puppet_person(Image& canvas, const Person& person, const DrawOptions& options) {
  const double side = std::min(canvas.width, canvas.height);
  for (size_t i = 0; i < kLimbs.size(); ++i) {
    const Keypoint &from = person.body[kLimbs[i][0]], &to = person.body[kLimbs[i][1]];
    if (is_drawn(from) && is_drawn(to))
      blend_capsule(canvas, from, to, kLimbRadius * side, dimmed(kColours[i]));
  }
  for (size_t i = 0; i < kNumBody; ++i) {
    const Keypoint& p = person.body[i];
    if (is_drawn(p)) blend_capsule(canvas, p, p, kJointRadius * side, kColours[i]);
  }
  for (const auto* hand : {&person.left_hand, &person.right_hand}) {
    if (!options.hands || hand->size() != kNumHand) continue;
    for (size_t b = 0; b < kNumFingerBones; ++b) {
      const auto [i, j] = finger_bone(b);
      if (is_drawn((*hand)[i]) && is_drawn((*hand)[j]))
        blend_capsule(canvas, (*hand)[i], (*hand)[j], kFingerRadius * side, finger_colour(b));
    }
  }
  if (!options.face) return;
  for (const Keypoint& p : person.face) {
    if (is_drawn(p)) blend_capsule(canvas, p, p, kFaceRadius * side, image::kWhite);
  }
}

}  // namespace

Image draw_pose(const Keypoints& keypoints, int width, int height, const DrawOptions& options) {
  Image canvas(width, height);
  const std::span<const Person> people = drawn_people(keypoints, options);
  if (options.style == PoseStyle::Reference) {
    draw_reference(canvas, people, options);
  } else {
    for (const Person& person : people) draw_puppet_person(canvas, person, options);
  }
  return canvas;
}

}  // namespace zt::data
