// SPDX-License-Identifier: Apache-2.0
// The mapping's expected values are MediaPipe's names of its 33 points (PoseLandmark).
#include "data/pose/blazepose/pose_landmarks.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace zt::data {
namespace {

// Point i at (i, 2 i), all clearly there.
Landmarks numbered() {
  Landmarks landmarks;
  for (size_t i = 0; i < landmarks.size(); ++i) {
    landmarks[i] = {{static_cast<double>(i), 2.0 * static_cast<double>(i)}, 0.9};
  }
  return landmarks;
}

TEST(DecodeLandmarks, MapsCropPixelsToThePictureAndTakesTheLessSureLogit) {
  std::vector<float> values(kLandmarkValues, 0.0F);
  values[5] = 64;    // point 1: x, a quarter of the crop
  values[6] = 192;   // y, three quarters
  values[8] = 1.0F;  // visibility
  values[9] = -1.0F;

  const auto landmarks = decode_landmarks(values, {{100, 100}, 40, 0});

  EXPECT_EQ(landmarks[1].at, (PicturePoint{90, 110}));
  EXPECT_NEAR(landmarks[1].confidence, 1 / (1 + std::exp(1.0)), 1e-9);
}

TEST(LandmarkRegion, ComesFromTheTwoAuxiliaryPoints) {
  Landmarks landmarks = numbered();
  landmarks[33].at = {50, 60};
  landmarks[34].at = {50, 40};

  const Region region = landmark_region(landmarks);

  EXPECT_EQ(region.centre, (PicturePoint{50, 60}));
  EXPECT_DOUBLE_EQ(region.side, 50);
}

TEST(HasTorso, WantsTwoOfShouldersAndHips) {
  Landmarks landmarks = numbered();
  for (const size_t i : {12U, 23U, 24U}) landmarks[i].confidence = 0.4;
  EXPECT_FALSE(has_torso(landmarks));

  landmarks[12].confidence = 0.5;
  EXPECT_TRUE(has_torso(landmarks));
}

TEST(ToPerson, TakesEachPartFromTheLandmarkOfThatName) {
  const Person person = to_person(numbered(), 100, 100);

  const auto landmark_of = [&](BodyPart part) { return std::lround(person.at(part).x * 100); };
  EXPECT_EQ(landmark_of(BodyPart::Nose), 0);
  EXPECT_EQ(landmark_of(BodyPart::RShoulder), 12);
  EXPECT_EQ(landmark_of(BodyPart::RElbow), 14);
  EXPECT_EQ(landmark_of(BodyPart::RWrist), 16);
  EXPECT_EQ(landmark_of(BodyPart::LShoulder), 11);
  EXPECT_EQ(landmark_of(BodyPart::LElbow), 13);
  EXPECT_EQ(landmark_of(BodyPart::LWrist), 15);
  EXPECT_EQ(landmark_of(BodyPart::RHip), 24);
  EXPECT_EQ(landmark_of(BodyPart::RKnee), 26);
  EXPECT_EQ(landmark_of(BodyPart::RAnkle), 28);
  EXPECT_EQ(landmark_of(BodyPart::LHip), 23);
  EXPECT_EQ(landmark_of(BodyPart::LKnee), 25);
  EXPECT_EQ(landmark_of(BodyPart::LAnkle), 27);
  EXPECT_EQ(landmark_of(BodyPart::REye), 5);
  EXPECT_EQ(landmark_of(BodyPart::LEye), 2);
  EXPECT_EQ(landmark_of(BodyPart::REar), 8);
  EXPECT_EQ(landmark_of(BodyPart::LEar), 7);
}

TEST(ToPerson, PutsTheNeckBetweenTheShouldersAsSureAsTheLessSureOne) {
  Landmarks landmarks = numbered();
  landmarks[11] = {{20, 30}, 0.9};
  landmarks[12] = {{40, 50}, 0.6};

  const Person person = to_person(landmarks, 100, 100);

  EXPECT_FLOAT_EQ(person.at(BodyPart::Neck).x, 0.3F);
  EXPECT_FLOAT_EQ(person.at(BodyPart::Neck).y, 0.4F);
  EXPECT_FLOAT_EQ(person.at(BodyPart::Neck).confidence, 0.6F);
}

TEST(ToPerson, LeavesOutWhatLiesOutsideThePicture) {
  Landmarks landmarks = numbered();
  landmarks[28].at = {50, 101};
  landmarks[27].at = {NAN, 50};

  const Person person = to_person(landmarks, 100, 100);

  EXPECT_FALSE(person.at(BodyPart::RAnkle).present());
  EXPECT_FALSE(person.at(BodyPart::LAnkle).present());
}

}  // namespace
}  // namespace zt::data
