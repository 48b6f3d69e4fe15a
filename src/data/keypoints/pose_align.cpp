// SPDX-License-Identifier: Apache-2.0
#include "data/keypoints/pose_align.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace zt::data {
namespace {

/// A place in square pixels: unit = the picture's height, so that lengths in x and y compare.
struct Place {
  double x = 0;
  double y = 0;
};
Place operator+(Place a, Place b) { return {a.x + b.x, a.y + b.y}; }
Place operator-(Place a, Place b) { return {a.x - b.x, a.y - b.y}; }
Place operator*(double s, Place a) { return {s * a.x, s * a.y}; }

Place place_of(const Keypoint& p, double aspect) { return {p.x * aspect, p.y}; }

Keypoint keypoint_at(Place place, double aspect, float confidence) {
  return {static_cast<float>(place.x / aspect), static_cast<float>(place.y), confidence};
}

/// A person seen with the aspect of its picture.
struct Seen {
  const Person& person;
  double aspect;
};

std::optional<double> length(const Keypoint& a, const Keypoint& b, double aspect) {
  if (!a.present() || !b.present()) return std::nullopt;
  const Place d = place_of(a, aspect) - place_of(b, aspect);
  return std::hypot(d.x, d.y);
}

// Reference length over driving length; nothing where one of them is not seen or the driving one has no
// length.
std::optional<double> ratio_of(std::optional<double> reference, std::optional<double> driving) {
  if (!reference || !driving || *driving <= 0 || *reference <= 0) return std::nullopt;
  return *reference / *driving;
}

std::optional<double> mean_of(std::span<const std::optional<double>> values) {
  double sum = 0;
  int count = 0;
  for (const auto& value : values) {
    if (!value) continue;
    sum += *value;
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

using Bone = std::pair<BodyPart, BodyPart>;

// The mean over bones that both people show (left and right).
std::optional<double> bones_ratio(const Seen& reference, const Seen& driving,
                                  std::initializer_list<Bone> bones) {
  std::vector<std::optional<double>> ratios;
  for (const auto& [a, b] : bones)
    ratios.push_back(ratio_of(length(reference.person.at(a), reference.person.at(b), reference.aspect),
                              length(driving.person.at(a), driving.person.at(b), driving.aspect)));
  return mean_of(ratios);
}

// Neck to the middle of the hips.
std::optional<double> torso_length(const Seen& seen) {
  const Keypoint &right = seen.person.at(BodyPart::RHip), &left = seen.person.at(BodyPart::LHip);
  if (!right.present() || !left.present()) return std::nullopt;
  const Keypoint middle{(right.x + left.x) / 2, (right.y + left.y) / 2, 1};
  return length(seen.person.at(BodyPart::Neck), middle, seen.aspect);
}

// From the wrist to the first joint of each finger, both hands.
std::optional<double> hands_ratio(const Seen& reference, const Seen& driving) {
  std::vector<std::optional<double>> ratios;
  for (const auto part : {&Person::left_hand, &Person::right_hand}) {
    const auto &r = reference.person.*part, &d = driving.person.*part;
    if (r.size() != kNumHand || d.size() != kNumHand) continue;
    for (const size_t finger : {1U, 5U, 9U, 13U, 17U})
      ratios.push_back(
          ratio_of(length(r[0], r[finger], reference.aspect), length(d[0], d[finger], driving.aspect)));
  }
  return mean_of(ratios);
}

/// The ratios as measured, in the order of LimbRatios.
struct Measured {
  std::array<std::optional<double>, 9> ratios;
  bool has_neck_and_torso() const { return ratios[0] && ratios[6]; }
};

Measured measure(const Seen& reference, const Seen& driving) {
  using enum BodyPart;
  const auto bones = [&](std::initializer_list<Bone> list) { return bones_ratio(reference, driving, list); };
  return {{bones({{Nose, Neck}}), bones({{REar, LEar}}), bones({{RShoulder, LShoulder}}),
           bones({{RShoulder, RElbow}, {LShoulder, LElbow}}), bones({{RElbow, RWrist}, {LElbow, LWrist}}),
           hands_ratio(reference, driving), ratio_of(torso_length(reference), torso_length(driving)),
           bones({{RHip, RKnee}, {LHip, LKnee}}), bones({{RKnee, RAnkle}, {LKnee, LAnkle}})}};
}

Result<LimbRatios> filled(const Measured& measured) {
  const auto mean = mean_of(measured.ratios);
  if (!mean)
    return fail(ErrorCode::InvalidArgument,
                "no body part is seen in both the reference and the driving person");
  const auto at = [&](size_t i) { return measured.ratios[i].value_or(*mean); };
  return LimbRatios{at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8)};
}

/// A joint hangs on its parent; the bone between them is scaled by one of the ratios.
struct Joint {
  BodyPart part;
  BodyPart parent;
  double LimbRatios::*ratio;
};

// From the neck outwards: a parent comes before its children.
constexpr std::array<Joint, kNumBody - 1> kTree = {{
    {BodyPart::Nose, BodyPart::Neck, &LimbRatios::neck},
    {BodyPart::REye, BodyPart::Nose, &LimbRatios::face},
    {BodyPart::LEye, BodyPart::Nose, &LimbRatios::face},
    {BodyPart::REar, BodyPart::Nose, &LimbRatios::face},
    {BodyPart::LEar, BodyPart::Nose, &LimbRatios::face},
    {BodyPart::RShoulder, BodyPart::Neck, &LimbRatios::shoulders},
    {BodyPart::LShoulder, BodyPart::Neck, &LimbRatios::shoulders},
    {BodyPart::RElbow, BodyPart::RShoulder, &LimbRatios::upper_arms},
    {BodyPart::LElbow, BodyPart::LShoulder, &LimbRatios::upper_arms},
    {BodyPart::RWrist, BodyPart::RElbow, &LimbRatios::lower_arms},
    {BodyPart::LWrist, BodyPart::LElbow, &LimbRatios::lower_arms},
    {BodyPart::RHip, BodyPart::Neck, &LimbRatios::torso},
    {BodyPart::LHip, BodyPart::Neck, &LimbRatios::torso},
    {BodyPart::RKnee, BodyPart::RHip, &LimbRatios::upper_legs},
    {BodyPart::LKnee, BodyPart::LHip, &LimbRatios::upper_legs},
    {BodyPart::RAnkle, BodyPart::RKnee, &LimbRatios::lower_legs},
    {BodyPart::LAnkle, BodyPart::LKnee, &LimbRatios::lower_legs},
}};

/// Where a joint was and where it goes. One that is absent stands where its parent does, so that children
/// hang on.
struct Move {
  Place from;
  Place to;
};
using Moves = std::array<Move, kNumBody>;

Moves walk(const Person& person, double aspect, const Move& neck, const LimbRatios& ratios) {
  Moves moves;
  moves[static_cast<size_t>(BodyPart::Neck)] = neck;
  for (const Joint& joint : kTree) {
    const Move& parent = moves[static_cast<size_t>(joint.parent)];
    Move& move = moves[static_cast<size_t>(joint.part)];
    move = parent;
    if (!person.at(joint.part).present()) continue;
    move.from = place_of(person.at(joint.part), aspect);
    move.to = parent.to + ratios.*joint.ratio * (move.from - parent.from);
  }
  return moves;
}

/// Both pictures' aspects: places are read with the one and written with the other.
struct Aspects {
  double driving;
  double reference;
};

// Points that follow one joint as a whole.
void move_part(std::vector<Keypoint>& points, const Aspects& aspects, const Move& anchor, double ratio) {
  for (Keypoint& p : points) {
    if (!p.present()) continue;
    const Place to = anchor.to + ratio * (place_of(p, aspects.driving) - anchor.from);
    p = keypoint_at(to, aspects.reference, p.confidence);
  }
}

void move_limbs(Person& person, const Aspects& aspects, const Move& neck, const LimbRatios& ratios) {
  const Moves moves = walk(person, aspects.driving, neck, ratios);
  for (size_t i = 0; i < kNumBody; ++i) {
    Keypoint& p = person.body[i];
    if (p.present()) p = keypoint_at(moves[i].to, aspects.reference, p.confidence);
  }
  const auto anchor = [&](BodyPart part) { return moves[static_cast<size_t>(part)]; };
  move_part(person.left_hand, aspects, anchor(BodyPart::LWrist), ratios.hands);
  move_part(person.right_hand, aspects, anchor(BodyPart::RWrist), ratios.hands);
  move_part(person.face, aspects, anchor(BodyPart::Nose), ratios.face);
}

// The neck keeps its motion and starts at the reference's. Where it is not seen it stays where it was seen
// last.
void align_limbs(KeypointClip& clip, size_t first, const Person& reference, const Aspects& aspects,
                 const LimbRatios& ratios) {
  Place last = place_of(clip.frames[first].people[0].at(BodyPart::Neck), aspects.driving);
  const Place offset = place_of(reference.at(BodyPart::Neck), aspects.reference) - last;
  for (Keypoints& frame : clip.frames) {
    if (frame.people.empty()) continue;
    Person& person = frame.people[0];
    if (person.at(BodyPart::Neck).present()) last = place_of(person.at(BodyPart::Neck), aspects.driving);
    move_limbs(person, aspects, {last, last + offset}, ratios);
  }
}

// Joints that keep their place relative to the body: no elbows, no hands.
constexpr std::array<size_t, 14> kSteady = {0, 1, 2, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};

/// x' = x_scale x + x_offset, likewise y, in normalised coordinates.
struct Fit {
  double x_scale = 1, x_offset = 0, y_scale = 1, y_offset = 0;
};

struct Pair {
  const Keypoint& driving;
  const Keypoint& reference;
};

// Least squares of y over all frames; x has the same scale in square pixels, and the offset that is best on
// average.
std::optional<Fit> fit(const KeypointClip& clip, const Person& reference, const Aspects& aspects) {
  std::vector<Pair> pairs;
  for (const Keypoints& frame : clip.frames) {
    for (const size_t i : kSteady) {
      if (!frame.people.empty() && frame.people[0].body[i].present() && reference.body[i].present())
        pairs.push_back({frame.people[0].body[i], reference.body[i]});
    }
  }
  const auto n = static_cast<double>(pairs.size());
  double mean_y = 0, mean_ref = 0, covariance = 0, variance = 0;
  for (const Pair& p : pairs) mean_y += p.driving.y / n, mean_ref += p.reference.y / n;
  for (const Pair& p : pairs) {
    covariance += (p.driving.y - mean_y) * (p.reference.y - mean_ref);
    variance += (p.driving.y - mean_y) * (p.driving.y - mean_y);
  }
  if (!(variance > 0 && covariance > 0)) return std::nullopt;
  Fit f;
  f.y_scale = covariance / variance;
  f.y_offset = mean_ref - f.y_scale * mean_y;
  f.x_scale = f.y_scale * aspects.driving / aspects.reference;
  for (const Pair& p : pairs) f.x_offset += (p.reference.x - f.x_scale * p.driving.x) / n;
  return f;
}

void apply(const Fit& fit, Person& person) {
  const auto move = [&](std::span<Keypoint> points) {
    for (Keypoint& p : points) {
      if (p.present())
        p = {static_cast<float>(fit.x_scale * p.x + fit.x_offset),
             static_cast<float>(fit.y_scale * p.y + fit.y_offset), p.confidence};
    }
  };
  move(person.body);
  move(person.left_hand);
  move(person.right_hand);
  move(person.face);
}

// The first frame that shows a neck and something to compare.
std::optional<size_t> first_comparable(const KeypointClip& clip, const Seen& reference) {
  for (size_t f = 0; f < clip.frames.size(); ++f) {
    if (clip.frames[f].people.empty() || !clip.frames[f].people[0].at(BodyPart::Neck).present()) continue;
    if (filled(measure(reference, {clip.frames[f].people[0], clip.aspect()}))) return f;
  }
  return std::nullopt;
}

}  // namespace

Result<LimbRatios> limb_ratios(const Person& reference, double reference_aspect, const Person& driving,
                               double driving_aspect) {
  return filled(measure({reference, reference_aspect}, {driving, driving_aspect}));
}

Result<KeypointClip> align_poses(const Person& reference, int reference_width, int reference_height,
                                 const KeypointClip& driving, AlignMethod method) {
  if (reference_width < 1 || reference_height < 1 || driving.width < 1 || driving.height < 1)
    return fail(ErrorCode::InvalidArgument, "poses can't be aligned between pictures without a size");
  const Aspects aspects{driving.aspect(), static_cast<double>(reference_width) / reference_height};
  KeypointClip clip = driving;
  for (Keypoints& frame : clip.frames) frame.people.resize(std::min<size_t>(1, frame.people.size()));
  clip.width = reference_width;
  clip.height = reference_height;

  const Seen seen{reference, aspects.reference};
  const auto first = first_comparable(driving, seen);
  if (method == AlignMethod::Limbs && first && reference.at(BodyPart::Neck).present()) {
    const Measured measured = measure(seen, {driving.frames[*first].people[0], aspects.driving});
    if (measured.has_neck_and_torso()) {
      ZT_TRY_ASSIGN(const LimbRatios ratios, filled(measured));
      align_limbs(clip, *first, reference, aspects, ratios);
      return clip;
    }
  }
  const auto best = fit(driving, reference, aspects);
  if (!best)
    return fail(ErrorCode::InvalidArgument,
                "no frame of the driving clip shows enough of the body to compare it with the reference");
  for (Keypoints& frame : clip.frames) {
    for (Person& person : frame.people) apply(*best, person);
  }
  return clip;
}

}  // namespace zt::data
