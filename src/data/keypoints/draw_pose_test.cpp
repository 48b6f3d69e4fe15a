// SPDX-License-Identifier: Apache-2.0
// Expected pictures: testdata/make_golden.py, with OpenCV's own calls.
#include "data/keypoints/draw_pose.hpp"

#include <gtest/gtest.h>

#include "image/image.hpp"
#include "support/golden_image.hpp"
#include "support/golden_people.hpp"

namespace zt::data {
namespace {

using test::golden_image;
using test::same_picture;

const test::Golden& golden() {
  static const test::Golden file(ZT_SOURCE_DIR "/src/data/testdata/draw_pose.golden");
  return file;
}

Keypoints people(const std::string& name) { return {test::golden_people(golden(), name)}; }

DrawOptions unscaled() {
  DrawOptions options;
  options.reference_short_side = 0;
  return options;
}

TEST(DrawPose, EqualsTheReferencePixelForPixel) {
  EXPECT_TRUE(
      same_picture(draw_pose(people("alone_people"), 96, 80, unscaled()), golden_image(golden(), "alone")));
}

TEST(DrawPose, HandsAndFaceCanBeLeftOut) {
  DrawOptions options = unscaled();
  options.hands = options.face = false;

  EXPECT_TRUE(
      same_picture(draw_pose(people("alone_people"), 96, 80, options), golden_image(golden(), "body_only")));
}

TEST(DrawPose, SeveralPeopleAreDrawnLimbByLimb) {
  DrawOptions options = unscaled();
  options.all_people = true;

  EXPECT_TRUE(same_picture(draw_pose(people("two_people"), 80, 96, options), golden_image(golden(), "two")));
}

TEST(DrawPose, OnlyThePrimaryPersonIsDrawnByDefault) {
  const Keypoints two = people("two_people");

  EXPECT_TRUE(
      same_picture(draw_pose(two, 80, 96, unscaled()), draw_pose({{two.people[0]}}, 80, 96, unscaled())));
}

TEST(DrawPose, PointsOutsideThePictureAreClipped) {
  EXPECT_TRUE(same_picture(draw_pose(people("outside_people"), 96, 80, unscaled()),
                           golden_image(golden(), "outside")));
}

TEST(DrawPose, SizesGrowWithTheShortSide) {
  DrawOptions options;
  options.reference_short_side = 60;  // the picture's is 120

  EXPECT_TRUE(
      same_picture(draw_pose(people("alone_people"), 150, 120, options), golden_image(golden(), "doubled")));
}

TEST(DrawPose, TinyPicturesKeepEveryLimb) {
  DrawOptions options;
  options.hands = options.face = false;

  const image::Image picture = draw_pose(people("alone_people"), 64, 64, options);

  EXPECT_NE(picture, image::Image(64, 64));
}

TEST(DrawPose, PuppetsHaveSoftEdges) {
  DrawOptions options;
  options.style = PoseStyle::Puppet;
  options.hands = options.face = false;

  EXPECT_TRUE(
      same_picture(draw_pose(people("alone_people"), 64, 72, options), golden_image(golden(), "puppet"), 1));
}

TEST(DrawPose, NobodyIsBlack) { EXPECT_EQ(draw_pose({}, 20, 10), image::Image(20, 10)); }

TEST(DrawPose, SurvivesAbsurdCoordinates) {
  Keypoints absurd;
  absurd.people.resize(1);
  for (Keypoint& p : absurd.people[0].body) p = {1000, -1000, 1};
  absurd.people[0].body[1] = {-1000, 1000, 1};
  absurd.people[0].left_hand.assign(kNumHand, {1000, 1000, 1});
  absurd.people[0].left_hand[0] = {0.5F, 0.5F, 1};
  DrawOptions puppet;
  puppet.style = PoseStyle::Puppet;

  draw_pose(absurd, 64, 64);
  draw_pose(absurd, 64, 64, puppet);
}

}  // namespace
}  // namespace zt::data
