// SPDX-License-Identifier: Apache-2.0
// Expected pictures: testdata/make_golden.py, with OpenCV's own calls.
#include "data/keypoints/draw_pose.hpp"

#include <gtest/gtest.h>

#include <iterator>

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

// One finger absent, one tip in doubt, one tip in the first column and one in the first row.
TEST(DrawPose, HandsEqualTheReferencePixelForPixel) {
  EXPECT_TRUE(
      same_picture(draw_pose(people("hands_people"), 128, 96, unscaled()), golden_image(golden(), "hands")));
}

TEST(DrawPose, FaceEqualsTheReferencePixelForPixel) {
  EXPECT_TRUE(
      same_picture(draw_pose(people("face_people"), 96, 80, unscaled()), golden_image(golden(), "face")));
}

TEST(DrawPose, PuppetsHaveHandsAndFace) {
  DrawOptions options;
  options.style = PoseStyle::Puppet;

  EXPECT_TRUE(same_picture(draw_pose(people("hands_people"), 128, 96, options),
                           golden_image(golden(), "puppet_hands"), 1));
  EXPECT_TRUE(same_picture(draw_pose(people("alone_people"), 64, 72, options),
                           golden_image(golden(), "puppet_whole"), 1));
}

// Each finger begins a fifth of the circle of hues further, at full saturation and value; by hand.
TEST(DrawPose, FingersGoThroughTheColoursFromTheThumbOn) {
  constexpr image::Rgb kExpected[] = {
      {255, 0, 0}, {204, 255, 0}, {0, 255, 102}, {0, 102, 255}, {204, 0, 255}};
  Keypoints hand;
  hand.people.resize(1);
  hand.people[0].left_hand.assign(kNumHand, {});
  hand.people[0].left_hand[0] = {0.1F, 0.5F, 1};  // the wrist
  for (size_t finger = 0; finger < std::size(kExpected); ++finger) {
    Keypoints one = hand;
    one.people[0].left_hand[1 + 4 * finger] = {0.9F, 0.5F, 1};

    const image::Image picture = draw_pose(one, 100, 100, unscaled());

    const uint8_t* middle = picture.at(50, 50);
    EXPECT_EQ((image::Rgb{middle[0], middle[1], middle[2]}), kExpected[finger]) << "finger " << finger;
    const uint8_t* joint = picture.at(90, 50);
    EXPECT_EQ((image::Rgb{joint[0], joint[1], joint[2]}), (image::Rgb{0, 0, 255})) << "finger " << finger;
  }
}

TEST(DrawPose, HandsThatWereNotLookedForAreNotDrawn) {
  Keypoints absent = people("hands_people");
  absent.people[0].left_hand.clear();
  absent.people[0].right_hand.assign(kNumHand, {});

  EXPECT_EQ(draw_pose(absent, 128, 96, unscaled()), image::Image(128, 96));
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
