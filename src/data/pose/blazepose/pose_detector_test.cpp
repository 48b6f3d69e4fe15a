// SPDX-License-Identifier: Apache-2.0
// Expected values are worked out by hand from the layout in MediaPipe's pose_detection_cpu.pbtxt.
#include "data/pose/blazepose/pose_detector.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace zt::data {
namespace {

// The network's outputs when it sees nobody, to be filled in.
struct Outputs {
  std::vector<float> values = std::vector<float>(kDetectorAnchors * kDetectorValues, 0.0F);
  std::vector<float> logits = std::vector<float>(kDetectorAnchors, -100.0F);

  // A hit at an anchor: a box of this size in pixels around it, shifted; hips at the box's centre, rim 56 px
  // above.
  void add(size_t anchor, float logit, float shift_x, float size) {
    logits[anchor] = logit;
    float* value = &values[anchor * kDetectorValues];
    value[0] = value[4] = value[6] = shift_x;
    value[2] = value[3] = size;
    value[7] = -56;
  }
};

// Row 3, column 5 of the 7 x 7 grid: its first anchor, centre (5.5 / 7, 3.5 / 7).
constexpr size_t kCoarse = 28 * 28 * 2 + 14 * 14 * 2 + (3 * 7 + 5) * 6;

TEST(DetectorAnchors, LieAtTheCellCentresOfThreeGrids) {
  const auto& anchors = detector_anchors();

  ASSERT_EQ(anchors.size(), kDetectorAnchors);
  EXPECT_FLOAT_EQ(anchors[1][0], 0.5F / 28);
  EXPECT_FLOAT_EQ(anchors[2][0], 1.5F / 28);
  EXPECT_FLOAT_EQ(anchors[28 * 28 * 2][1], 0.5F / 14);
  EXPECT_FLOAT_EQ(anchors[kCoarse][0], 5.5F / 7);
  EXPECT_FLOAT_EQ(anchors[kCoarse + 5][1], 3.5F / 7);
  EXPECT_FLOAT_EQ(anchors[kCoarse + 6][0], 6.5F / 7);
}

TEST(DecodeDetections, FindsNobodyInAnEmptyPicture) {
  const Outputs outputs;

  EXPECT_TRUE(decode_detections(outputs.values, outputs.logits).empty());
}

TEST(DecodeDetections, PlacesBoxAndPointsRelativeToTheAnchor) {
  Outputs outputs;
  outputs.add(kCoarse, 2.0F, 22.4F, 112.0F);

  const auto people = decode_detections(outputs.values, outputs.logits);

  ASSERT_EQ(people.size(), 1U);
  const Detection& person = people.front();
  EXPECT_NEAR(person.score, 1 / (1 + std::exp(-2.0)), 1e-9);
  EXPECT_NEAR(person.left, 5.5 / 7 + 0.1 - 0.25, 1e-6);
  EXPECT_NEAR(person.bottom, 0.5 + 0.25, 1e-6);
  EXPECT_NEAR(person.hips.x, 5.5 / 7 + 0.1, 1e-6);
  EXPECT_NEAR(person.rim.y, 0.5 - 0.25, 1e-6);
}

TEST(DecodeDetections, MergesOverlappingHitsByScore) {
  Outputs outputs;
  outputs.add(kCoarse, 0.0F, 0.0F, 100.0F);                // score 0.5
  outputs.add(kCoarse + 1, std::log(3.0F), 8.0F, 100.0F);  // score 0.75

  const auto people = decode_detections(outputs.values, outputs.logits);

  ASSERT_EQ(people.size(), 1U);
  EXPECT_NEAR(people[0].score, 0.75, 1e-6);
  EXPECT_NEAR(people[0].hips.x, 5.5 / 7 + 0.6 * 8 / 224, 1e-6);
}

TEST(DecodeDetections, KeepsPeopleApartTheBestFirst) {
  Outputs outputs;
  outputs.add(kCoarse, 1.0F, 0.0F, 40.0F);
  outputs.add(kCoarse - 5 * 6, 3.0F, 0.0F, 40.0F);

  const auto people = decode_detections(outputs.values, outputs.logits);

  ASSERT_EQ(people.size(), 2U);
  EXPECT_NEAR(people[0].hips.x, 0.5 / 7, 1e-6);
  EXPECT_NEAR(people[1].hips.x, 5.5 / 7, 1e-6);
}

TEST(DecodeDetections, SurvivesBoxesWithoutAreaAndNumbersThatAreNone) {
  Outputs outputs;
  outputs.add(kCoarse, 1.0F, 0.0F, 0.0F);
  outputs.add(kCoarse + 1, NAN, 0.0F, 40.0F);
  outputs.add(kCoarse + 2, 1.0F, NAN, 40.0F);

  EXPECT_EQ(decode_detections(outputs.values, outputs.logits).size(), 2U);
}

TEST(PersonRegion, IsInPixelsOfThePicture) {
  Detection hit;
  hit.hips = {0.5, 0.5};
  hit.rim = {0.5, 0.25};

  // The detector saw a 640 x 320 picture in a square of 640.
  const Region region = person_region(hit, whole_picture(640, 320));

  EXPECT_EQ(region.centre, (PicturePoint{320, 160}));
  EXPECT_DOUBLE_EQ(region.side, 2.5 * 160);
}

}  // namespace
}  // namespace zt::data
