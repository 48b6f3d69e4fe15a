// SPDX-License-Identifier: Apache-2.0
// Painter's order: hair behind, arms behind, legs, shoes, torso, arms, hands, tail, head, hair, eyes.
#include "data/puppet/internal/figure.hpp"

#include <algorithm>
#include <cmath>

#include "data/keypoints/keypoints.hpp"
#include "data/puppet/internal/canvas.hpp"

namespace zt::data::puppet {
namespace {

using image::Rgb;

// Radii and lengths in shares of the character's height.
constexpr double kUpperArmRadius = 0.046, kForearmRadius = 0.039, kHandRadius = 0.050;
constexpr double kThighRadius = 0.066, kShinRadius = 0.048, kShoeRadius = 0.043, kShoeLength = 0.05;
constexpr double kTorsoRounding = 0.045, kWaist = 0.08, kPelvisRadius = 0.072, kNeckRadius = 0.04;
constexpr double kTailLength = 0.30, kTailRadius = 0.038, kTailEndRadius = 0.050;
constexpr double kStripePeriod = 0.12;
constexpr double kRim = 0.025;

// A chain as one shape, so that its links leave no seams.
struct Strand {
  const Chain& points;
  double radius_start = 1, radius_end = 1;

  Capsule link(size_t i) const {
    const auto radius = [&](size_t point) {
      return radius_start + (radius_end - radius_start) * static_cast<double>(point) / (kTailPoints - 1);
    };
    return {points[i], points[i + 1], radius(i), radius(i + 1)};
  }
  size_t nearest_link(Vec p) const {
    size_t nearest = 0;
    for (size_t i = 1; i + 1 < kTailPoints; ++i)
      if (link(i).distance(p) < link(nearest).distance(p)) nearest = i;
    return nearest;
  }
  double distance(Vec p) const { return link(nearest_link(p)).distance(p); }
  Bounds bounds() const {
    Bounds box;
    for (const Vec p : points) box.include(p, std::max(radius_start, radius_end));
    return box;
  }
};

class Figure {
 public:
  Figure(const Look& look, const Skeleton& skeleton, PuppetFrame& frame)
      : look_(look), skeleton_(skeleton), frame_(frame), s_(look.height), w_(look.height * look.body_width) {
    head_down_ = from_down(-skeleton.head_angle);
    head_across_ = {head_down_.y, -head_down_.x};
  }

  void back_hair() {
    if (look_.hair_style == HairStyle::Bob) {
      const double r = skeleton_.head_radius;
      fill(Capsule{on_head(0, -0.1), on_head(0, 0.75), 1.16 * r, 0.95 * r}, PartLabel::Hair, look_.hair);
    }
    if (look_.hair_style == HairStyle::Bun) {
      const double r = skeleton_.head_radius;
      fill(Capsule{on_head(0, -1.2), on_head(0, -1.2), 0.5 * r, 0.5 * r}, PartLabel::Hair, look_.hair);
    }
  }

  void arms(bool behind) {
    if (look_.right_arm_behind == behind) arm(BodyPart::RShoulder, BodyPart::RElbow, BodyPart::RWrist);
    if (look_.left_arm_behind == behind) arm(BodyPart::LShoulder, BodyPart::LElbow, BodyPart::LWrist);
  }

  void legs() {
    for (const bool in_front : {false, true}) {
      if (look_.left_leg_in_front == in_front) {
        leg(BodyPart::LHip, BodyPart::LKnee, BodyPart::LAnkle, 1);
      } else {
        leg(BodyPart::RHip, BodyPart::RKnee, BodyPart::RAnkle, -1);
      }
    }
    fill(Capsule{at(BodyPart::RHip), at(BodyPart::LHip), kPelvisRadius * s_, kPelvisRadius * s_},
         PartLabel::Legs, look_.trousers);
  }

  void torso() {
    const Vec neck = at(BodyPart::Neck), hip = skeleton_.hip;
    const double span = length(hip - neck);
    const Vec down = (1 / std::max(span, 1e-9)) * (hip - neck);
    const Vec across{down.y, -down.x};
    const double waist = kWaist * w_ - kTorsoRounding * s_ * 0.4;
    const double rounding = kTorsoRounding * s_;
    const RoundedQuad shape{
        {at(BodyPart::RShoulder) + 0.4 * rounding * down, at(BodyPart::LShoulder) + 0.4 * rounding * down,
         hip + waist * across, hip - waist * across},
        rounding};
    const double period = kStripePeriod * s_;
    const auto cloth = [&, down, across](Vec p) {
      if (look_.pattern == Pattern::Plain) return look_.top;
      const Vec from_neck = p - neck;
      const double place =
          look_.pattern == Pattern::Across ? dot(from_neck, down) : dot(from_neck, across) + period / 4;
      // A square wave with an edge one pixel wide.
      const double phase = place / period - std::floor(place / period);
      const double to_edge = (std::abs(phase - 0.5) - 0.25) * period;
      return mixed(look_.top, look_.stripe, std::clamp(to_edge + 0.5, 0.0, 1.0));
    };
    paint(frame_, shape, Paint<decltype(cloth)>{PartLabel::Torso, cloth, rim()});
    fill(Capsule{neck, on_head(0, 0.5), kNeckRadius * s_, kNeckRadius * s_}, PartLabel::Head, look_.skin);
  }

  void tail(const Chain& chain) {
    fill(Strand{chain, kTailRadius * s_, kTailEndRadius * s_}, PartLabel::Tail, look_.tail);
    if (look_.tail_kind == TailKind::Scarf) {
      const Vec side = (0.06 * s_) * head_across_;
      const Vec neck = at(BodyPart::Neck);
      fill(Capsule{neck - side, neck + side, 0.042 * s_, 0.042 * s_}, PartLabel::Tail, look_.tail);
    }
  }

  void head() {
    const double r = skeleton_.head_radius;
    const Capsule skull{skeleton_.head, skeleton_.head, r, r};
    fill(skull, PartLabel::Head, look_.skin);
    // Hair: a cap over the top of the skull, down to a fringe that leaves the face free.
    const double fringe = look_.hair_style == HairStyle::Short ? -0.25 : -0.12;
    const auto colour = [this](Vec) { return look_.hair; };
    const Capsule cap{on_head(0, -0.06), on_head(0, -0.06), 1.08 * r, 1.08 * r};
    paint_cut(frame_, cap, Paint<decltype(colour)>{PartLabel::Hair, colour, rim()}, [&](Vec p) {
      const Vec from_centre = p - skeleton_.head;
      const double x = dot(from_centre, head_across_) - 0.3 * skeleton_.turn * r;
      // The parting: the fringe rises towards the middle of the face.
      return fringe * r - dot(from_centre, head_down_) + 0.25 * std::abs(x);
    });
    for (const BodyPart eye : {BodyPart::REye, BodyPart::LEye})
      fill(Capsule{at(eye), at(eye) + (0.12 * r) * head_down_, 0.15 * r, 0.15 * r}, PartLabel::Eyes,
           look_.eyes);
  }

 private:
  Vec at(BodyPart part) const { return skeleton_.joints[static_cast<size_t>(part)]; }
  Vec on_head(double x, double y) const {
    return skeleton_.head + (skeleton_.head_radius * x) * head_across_ +
           (skeleton_.head_radius * y) * head_down_;
  }
  double rim() const { return std::max(1.0, kRim * s_); }
  template <class Shape>
  void fill(const Shape& shape, PartLabel label, Rgb colour) {
    paint(frame_, shape, label, colour, rim());
  }

  void arm(BodyPart root, BodyPart middle, BodyPart end) {
    const Vec shoulder = at(root), elbow = at(middle), wrist = at(end);
    const double upper = kUpperArmRadius * w_, lower = kForearmRadius * w_;
    fill(Capsule{elbow, wrist, lower, 0.85 * lower}, PartLabel::Arms, look_.skin);
    fill(Capsule{shoulder, elbow, upper, lower}, PartLabel::Arms, look_.skin);
    const double sleeve = look_.sleeve;
    if (sleeve > 1)
      fill(Capsule{elbow, elbow + (sleeve - 1) * (wrist - elbow), 1.15 * lower, 1.1 * lower}, PartLabel::Arms,
           look_.top);
    const double covered = std::min(sleeve, 1.0);
    fill(Capsule{shoulder, shoulder + covered * (elbow - shoulder), 1.1 * upper, 1.15 * lower},
         PartLabel::Arms, look_.top);
    const Vec palm = wrist + (0.02 * s_ / std::max(length(wrist - elbow), 1e-9)) * (wrist - elbow);
    fill(Capsule{palm, palm, kHandRadius * s_, kHandRadius * s_}, PartLabel::Hands, look_.skin);
  }

  void leg(BodyPart root, BodyPart middle, BodyPart end, double side) {
    const Vec hip = at(root), knee = at(middle), ankle = at(end);
    fill(Capsule{knee, ankle, kShinRadius * w_, 0.9 * kShinRadius * w_}, PartLabel::Legs, look_.trousers);
    fill(Capsule{hip, knee, kThighRadius * w_, kShinRadius * w_}, PartLabel::Legs, look_.trousers);
    const Vec toe = ankle + Vec{side * kShoeLength * s_, 0.012 * s_};
    fill(Capsule{ankle, toe, kShoeRadius * s_, 0.9 * kShoeRadius * s_}, PartLabel::Shoes, look_.shoes);
  }

  const Look& look_;
  const Skeleton& skeleton_;
  PuppetFrame& frame_;
  double s_;  // the unit of lengths, and with the body's width that of radii
  double w_;
  Vec head_down_, head_across_;
};

}  // namespace

Vec tail_root(const Look& look, const Skeleton& skeleton) {
  const Vec down = from_down(-skeleton.head_angle);
  const Vec across{down.y, -down.x};
  if (look.tail_kind == TailKind::Scarf)
    return skeleton.joints[static_cast<size_t>(BodyPart::Neck)] +
           (0.045 * look.height * look.tail_side) * across;
  return skeleton.head + skeleton.head_radius * (0.95 * look.tail_side * across - 0.45 * down);
}

double tail_length(const Look& look) { return kTailLength * look.height; }

PuppetFrame draw_figure(const Look& look, const Skeleton& skeleton, const Chain* chain,
                        const image::Image& background) {
  PuppetFrame frame{background, image::Image(background.width, background.height, 1),
                    image::Image(background.width, background.height, 1)};
  Figure figure(look, skeleton, frame);
  figure.back_hair();
  figure.arms(/*behind=*/true);
  figure.legs();
  figure.torso();
  figure.arms(/*behind=*/false);
  if (chain) figure.tail(*chain);
  figure.head();
  return frame;
}

image::Image draw_backdrop(const Look& look, int width, int height) {
  image::Image picture(width, height);
  const Vec direction = from_down(look.background_angle);
  // The gradient runs from corner to corner along `direction`.
  const double reach = 0.5 * (std::abs(direction.x) * width + std::abs(direction.y) * height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const Vec from_middle{x + 0.5 - 0.5 * width, y + 0.5 - 0.5 * height};
      const double share = 0.5 + 0.5 * dot(from_middle, direction) / reach;
      const Rgb colour = mixed(look.background_from, look.background_to, std::clamp(share, 0.0, 1.0));
      std::copy(colour.begin(), colour.end(), picture.at(x, y));
    }
  }
  return picture;
}

}  // namespace zt::data::puppet
