// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/internal/skeleton.hpp"

#include <cmath>
#include <numbers>

#include "base/counter_rng.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/puppet/internal/streams.hpp"

namespace zt::data::puppet {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

// Standard proportions in shares of the height (with a larger head, which small pictures need).
constexpr double kThigh = 0.185, kShin = 0.175, kSole = 0.035;
constexpr double kTorso = 0.275, kHalfShoulder = 0.10, kHalfHip = 0.06, kShoulderDrop = 0.015;
constexpr double kUpperArm = 0.15, kForearm = 0.14;
constexpr double kNeck = 0.025, kHeadRadius = 0.122;

Wave draw_wave(CounterRng& rng, double bias_low, double bias_high, double amplitude_low,
               double amplitude_high) {
  Wave wave;
  wave.bias = rng.uniform(bias_low, bias_high);
  wave.amplitude = rng.uniform(amplitude_low, amplitude_high);
  wave.cycles = 1 + static_cast<int>(rng.below(2));
  wave.phase = rng.uniform(0, kTurn);
  return wave;
}

// The end of a limb part that starts at `from`; `side` -1 is the picture's left.
Vec reach(Vec from, double side, double angle, double body_angle, double length) {
  return from + length * from_down(side * angle - body_angle);
}

struct Parts {
  BodyPart root, middle, end;
};
constexpr std::array<Parts, 2> kArms{Parts{BodyPart::RShoulder, BodyPart::RElbow, BodyPart::RWrist},
                                     Parts{BodyPart::LShoulder, BodyPart::LElbow, BodyPart::LWrist}};
constexpr std::array<Parts, 2> kLegs{Parts{BodyPart::RHip, BodyPart::RKnee, BodyPart::RAnkle},
                                     Parts{BodyPart::LHip, BodyPart::LKnee, BodyPart::LAnkle}};

Vec& joint(Skeleton& skeleton, BodyPart part) { return skeleton.joints[static_cast<size_t>(part)]; }

void place_head(Skeleton& skeleton, const Look& look, const Motion& motion, double lean, double t) {
  skeleton.head_radius = kHeadRadius * look.head_size * look.height;
  skeleton.head_angle = lean + motion.tilt.at(t);
  skeleton.turn = motion.turn.at(t);
  const Vec down = from_down(-skeleton.head_angle);
  const Vec across{down.y, -down.x};
  const double radius = skeleton.head_radius;
  skeleton.head = joint(skeleton, BodyPart::Neck) - (kNeck * look.height + 0.95 * radius) * down;
  const auto on_head = [&](double x, double y) {
    return skeleton.head + (radius * x) * across + (radius * y) * down;
  };
  const double shift = 0.3 * skeleton.turn;
  joint(skeleton, BodyPart::Nose) = on_head(1.2 * shift, 0.3);
  joint(skeleton, BodyPart::REye) = on_head(-0.38 + shift, 0.08);
  joint(skeleton, BodyPart::LEye) = on_head(0.38 + shift, 0.08);
  joint(skeleton, BodyPart::REar) = on_head(-0.95, 0.1);
  joint(skeleton, BodyPart::LEar) = on_head(0.95, 0.1);
}

}  // namespace

double Wave::at(double t) const { return bias + amplitude * std::sin(kTurn * cycles * t + phase); }

Motion draw_motion(const PuppetOptions& options, uint64_t number) {
  CounterRng rng(options.seed, kMotionStream, number);
  Motion motion;
  motion.sway[0] = draw_wave(rng, 0, 0, 0.05, 0.10);
  motion.sway[1] = draw_wave(rng, 0, 0, 0.02, 0.05);
  motion.sway[1].cycles = motion.sway[0].cycles + 1;
  for (Wave& sway : motion.sway) sway.amplitude *= options.sway;
  motion.bounce = draw_wave(rng, 0, 0, 0.005, 0.025);
  motion.lean = draw_wave(rng, -0.08, 0.08, 0.03, 0.18);
  motion.tilt = draw_wave(rng, 0, 0, 0.02, 0.2);
  motion.turn = draw_wave(rng, -0.3, 0.3, 0.1, 0.7);
  for (Limb& arm : motion.arms) {
    arm.upper = draw_wave(rng, 0.25, 1.7, 0.2, 0.75);
    arm.bend = draw_wave(rng, -0.7, 1.2, 0.2, 0.8);
  }
  for (Limb& leg : motion.legs) {
    leg.upper = draw_wave(rng, 0.08, 0.28, 0.05, 0.3);
    leg.bend = draw_wave(rng, -0.25, 0.05, 0.05, 0.3);
  }
  return motion;
}

Skeleton skeleton_at(const Look& look, const Motion& motion, int width, int height, double t) {
  const double s = look.height;
  const double legs = (kThigh + kShin) * look.leg_length * s;
  const double above = (kTorso * look.torso_length + kNeck + 2 * kHeadRadius * look.head_size) * s;
  const double sole = 0.5 * (height + legs + kSole * s + above);
  Skeleton skeleton;
  skeleton.hip = {0.5 * width + s * (motion.sway[0].at(t) + motion.sway[1].at(t)),
                  sole - kSole * s - legs + s * motion.bounce.at(t)};
  const double lean = motion.lean.at(t);
  const Vec down = from_down(-lean);
  const Vec across{down.y, -down.x};
  const Vec neck = skeleton.hip - (kTorso * look.torso_length * s) * down;
  joint(skeleton, BodyPart::Neck) = neck;
  for (size_t i = 0; i < 2; ++i) {
    const double side = i == 0 ? -1 : 1;
    const Vec shoulder =
        neck + (side * kHalfShoulder * look.shoulder_width * s) * across + (kShoulderDrop * s) * down;
    const double upper = motion.arms[i].upper.at(t), lower = upper + motion.arms[i].bend.at(t);
    joint(skeleton, kArms[i].root) = shoulder;
    const Vec elbow = reach(shoulder, side, upper, lean, kUpperArm * look.arm_length * s);
    joint(skeleton, kArms[i].middle) = elbow;
    joint(skeleton, kArms[i].end) = reach(elbow, side, lower, lean, kForearm * look.arm_length * s);

    const Vec hip = skeleton.hip + Vec{side * kHalfHip * look.body_width * s, 0};
    const double thigh = motion.legs[i].upper.at(t), shin = thigh + motion.legs[i].bend.at(t);
    joint(skeleton, kLegs[i].root) = hip;
    const Vec knee = reach(hip, side, thigh, 0, kThigh * look.leg_length * s);
    joint(skeleton, kLegs[i].middle) = knee;
    joint(skeleton, kLegs[i].end) = reach(knee, side, shin, 0, kShin * look.leg_length * s);
  }
  place_head(skeleton, look, motion, lean, t);
  return skeleton;
}

}  // namespace zt::data::puppet
