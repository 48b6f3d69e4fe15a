// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/hands_and_face.hpp"

#include <cmath>
#include <utility>

namespace zt::data {
namespace {

constexpr size_t kPoints = 0, kFlag = 1;  // outputs of both networks
constexpr double kMinFlag = 0.5;
constexpr double kMinSide = 16;  // pixels; smaller hands and faces are a guess

// A hand region whose centre is farther than this share of its side from the body's hand has lost it.
constexpr double kMaxDrift = 0.5;

bool is_still_there(const Region& last, const Region& from_body) {
  return from_body.side > 0 && std::hypot(last.centre.x - from_body.centre.x,
                                          last.centre.y - from_body.centre.y) <= kMaxDrift * last.side;
}

}  // namespace

HandsAndFace::HandsAndFace(std::unique_ptr<TfliteModel> hand, std::unique_ptr<TfliteModel> face)
    : hand_(std::move(hand)), face_(std::move(face)) {}

Status HandsAndFace::add(const image::Image& picture, int64_t track, const Landmarks& body, Person& person) {
  if (hand_) {
    auto& [left, right] = last_hands_[track];
    ZT_TRY_ASSIGN(person.left_hand, find_hand(picture, body, Side::Left, left));
    ZT_TRY_ASSIGN(person.right_hand, find_hand(picture, body, Side::Right, right));
  }
  if (face_) {
    ZT_TRY_ASSIGN(person.face, find_face(picture, body));
  }
  return {};
}

Result<std::vector<Keypoint>> HandsAndFace::find_hand(const image::Image& picture, const Landmarks& body,
                                                      Side side, std::optional<Region>& last) {
  const Region from_body = hand_region(body, side);
  const Region region = last && is_still_there(*last, from_body) ? *last : from_body;
  last.reset();
  if (region.side < kMinSide) return std::vector<Keypoint>(kNumHand);
  ZT_TRY_ASSIGN(const auto outputs,
                hand_->run(sample_region(picture, region, kHandInputSize, Border::Repeat, 0, 1)));
  const double flag = outputs[kFlag][0];
  if (!(flag >= kMinFlag)) return std::vector<Keypoint>(kNumHand);
  const auto points = decode_points(outputs[kPoints], kNumHand, kHandInputSize, region);
  last = hand_region(points);
  return to_keypoints(points, flag, picture.width, picture.height);
}

Result<std::vector<Keypoint>> HandsAndFace::find_face(const image::Image& picture, const Landmarks& body) {
  const Region region = face_region(body);
  if (region.side < kMinSide) return std::vector<Keypoint>(kNumFace);
  ZT_TRY_ASSIGN(const auto outputs,
                face_->run(sample_region(picture, region, kFaceInputSize, Border::Repeat, 0, 1)));
  const double flag = 1.0 / (1.0 + std::exp(-static_cast<double>(outputs[kFlag][0])));
  if (!(flag >= kMinFlag)) return std::vector<Keypoint>(kNumFace);
  const auto mesh = decode_points(outputs[kPoints], kMeshPoints, kFaceInputSize, region);
  return to_keypoints(face_points(mesh), flag, picture.width, picture.height);
}

}  // namespace zt::data
