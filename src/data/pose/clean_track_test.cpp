// SPDX-License-Identifier: Apache-2.0
// Expected values: straight lines by hand; the weights of the quadratic fit from Savitzky and Golay 1964,
// table I.
#include "data/pose/clean_track.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace zt::data {
namespace {

constexpr size_t kPart = static_cast<size_t>(BodyPart::LWrist);

// A track whose left wrist has these x (NaN = absent) and y = 2 x.
PersonTrack track_of(const std::vector<float>& xs) {
  PersonTrack track(xs.size());
  for (size_t i = 0; i < xs.size(); ++i) {
    if (!std::isnan(xs[i])) track[i].body[kPart] = {xs[i], 2 * xs[i], 0.8F};
  }
  return track;
}

TEST(DropUnsure, MakesPointsBelowTheThresholdAbsent) {
  Person person;
  person.at(BodyPart::Nose) = {0.5F, 0.5F, 0.3F};
  person.at(BodyPart::Neck) = {0.5F, 0.5F, 0.29F};
  person.face.assign(kNumFace, {0.5F, 0.5F, 0.1F});

  drop_unsure(person, 0.3);

  EXPECT_TRUE(person.at(BodyPart::Nose).present());
  EXPECT_FALSE(person.at(BodyPart::Neck).present());
  EXPECT_EQ(person.face[67], Keypoint{});
}

TEST(FillGaps, DrawsAStraightLineThroughAShortGap) {
  PersonTrack track = track_of({0.1F, NAN, NAN, 0.4F});
  track[3].body[kPart].confidence = 0.5F;

  fill_gaps(track, 2);

  EXPECT_FLOAT_EQ(track[1].body[kPart].x, 0.2F);
  EXPECT_FLOAT_EQ(track[2].body[kPart].y, 0.6F);
  EXPECT_FLOAT_EQ(track[2].body[kPart].confidence, 0.5F);
}

TEST(FillGaps, LeavesLongGapsAndTheEnds) {
  PersonTrack track = track_of({NAN, 0.1F, NAN, NAN, NAN, 0.4F, NAN});

  fill_gaps(track, 2);

  for (const size_t i : {0U, 2U, 3U, 4U, 6U}) EXPECT_FALSE(track[i].body[kPart].present()) << i;
}

TEST(FillGaps, ReachesHandsThatWereNotFoundInBetween) {
  PersonTrack track = track_of({0.1F, 0.2F, 0.3F});
  track[0].left_hand.assign(kNumHand, {0.2F, 0.2F, 0.9F});
  track[2].left_hand.assign(kNumHand, {0.4F, 0.2F, 0.9F});

  complete_parts(track);
  fill_gaps(track, 2);

  ASSERT_EQ(track[1].left_hand.size(), kNumHand);
  EXPECT_FLOAT_EQ(track[1].left_hand[20].x, 0.3F);
  EXPECT_TRUE(track[1].face.empty());
}

TEST(Smooth, LeavesAcceleratedMotionAsItIs) {
  std::vector<float> xs;
  for (int t = 0; t < 10; ++t)
    xs.push_back(0.1F + 0.02F * static_cast<float>(t) + 0.003F * static_cast<float>(t * t));
  PersonTrack track = track_of(xs);

  smooth(track, 1.0);

  for (size_t i = 0; i < xs.size(); ++i) EXPECT_NEAR(track[i].body[kPart].x, xs[i], 1e-6) << i;
}

TEST(Smooth, SpreadsASpikeByTheFitsWeights) {
  PersonTrack track = track_of({0, 0, 0, 0, 0.21F, 0, 0, 0, 0});

  smooth(track, 1.0);

  EXPECT_NEAR(track[4].body[kPart].x, 0.07, 1e-6);
  EXPECT_NEAR(track[5].body[kPart].x, 0.06, 1e-6);
  EXPECT_NEAR(track[3].body[kPart].y, 0.12, 1e-6);
  // Two neighbours from the end the fit has five points; the spike is its outermost.
  EXPECT_NEAR(track[2].body[kPart].x, -0.21 * 3 / 35, 1e-6);
  EXPECT_FLOAT_EQ(track[0].body[kPart].x, 0);
}

TEST(Smooth, GoesTheWantedPartOfTheWay) {
  PersonTrack track = track_of({0, 0, 0, 0.21F, 0, 0, 0});

  smooth(track, 0.5);

  EXPECT_NEAR(track[3].body[kPart].x, 0.14, 1e-6);
}

TEST(Smooth, DoesNotReachAcrossAGap) {
  PersonTrack track = track_of({0.1F, 0.1F, 0.1F, NAN, 0.9F, 0.9F, 0.9F});

  smooth(track, 1.0);

  EXPECT_FLOAT_EQ(track[2].body[kPart].x, 0.1F);
  EXPECT_FLOAT_EQ(track[4].body[kPart].x, 0.9F);
  EXPECT_FALSE(track[3].body[kPart].present());
}

}  // namespace
}  // namespace zt::data
