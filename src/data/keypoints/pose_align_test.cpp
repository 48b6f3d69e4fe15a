// SPDX-License-Identifier: Apache-2.0
// Expected numbers: testdata/make_golden.py.
#include "data/keypoints/pose_align.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/golden_people.hpp"

namespace zt::data {
namespace {

constexpr int kWidth = 300, kHeight = 400;  // of the reference

const test::Golden& golden() {
  static const test::Golden file(ZT_SOURCE_DIR "/src/data/testdata/pose_align.golden");
  return file;
}

Person reference() { return test::golden_people(golden(), "reference").at(0); }

KeypointClip driving() {
  KeypointClip clip;
  clip.width = 1280;
  clip.height = 720;
  clip.fps_num = 25;
  for (const Person& person : test::golden_people(golden(), "frames")) clip.frames.push_back({{person}});
  return clip;
}

KeypointClip aligned(const KeypointClip& clip, AlignMethod method = AlignMethod::Limbs) {
  auto result = align_poses(reference(), kWidth, kHeight, clip, method);
  EXPECT_TRUE(result) << result.error().text();
  return result.value_or(KeypointClip{});
}

// Every point of every frame against frames x 128 x 2 doubles.
void expect_places(const KeypointClip& clip, const std::string& name) {
  const auto wanted = golden().values<double>(name);
  ASSERT_EQ(wanted.size(), clip.frames.size() * test::kNumPoints * 2);
  size_t k = 0;
  for (const Keypoints& frame : clip.frames) {
    for (const Keypoint& p : test::points_of(frame.people.at(0))) {
      ASSERT_NEAR(p.x, wanted[k], 2e-6) << "value " << k;
      ASSERT_NEAR(p.y, wanted[k + 1], 2e-6) << "value " << k + 1;
      k += 2;
    }
  }
}

TEST(PoseAlign, RatiosCompareLengthsInSquarePixels) {
  const auto wanted = golden().values<double>("ratios");

  const auto r = limb_ratios(reference(), 0.75, driving().frames[0].people[0], 1280.0 / 720);

  ASSERT_TRUE(r);
  const std::vector<double> found = {r->neck,  r->face,  r->shoulders,  r->upper_arms, r->lower_arms,
                                     r->hands, r->torso, r->upper_legs, r->lower_legs};
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-6) << i;
}

TEST(PoseAlign, LimbsAreWalkedFromTheNeckOutwards) {
  const KeypointClip clip = aligned(driving());

  expect_places(clip, "limbs");
  EXPECT_EQ(clip.width, kWidth);
  EXPECT_EQ(clip.height, kHeight);
  EXPECT_EQ(clip.fps_num, 25);
}

TEST(PoseAlign, FitIsTheLeastSquaresRescale) { expect_places(aligned(driving(), AlignMethod::Fit), "fit"); }

TEST(PoseAlign, LimbsFallBackToFitWithoutHips) {
  Person no_hips = reference();
  no_hips.at(BodyPart::RHip) = no_hips.at(BodyPart::LHip) = {};

  const auto limbs = align_poses(no_hips, kWidth, kHeight, driving(), AlignMethod::Limbs);
  const auto fit = align_poses(no_hips, kWidth, kHeight, driving(), AlignMethod::Fit);

  ASSERT_TRUE(limbs && fit);
  EXPECT_EQ(limbs->frames, fit->frames);
}

TEST(PoseAlign, ThePersonItselfStaysWhereItIs) {
  KeypointClip still = driving();
  still.width = kWidth;
  still.height = kHeight;
  still.frames = {{{reference()}}, {{reference()}}};

  const auto before = test::points_of(reference());
  const auto after = test::points_of(aligned(still).frames[1].people[0]);

  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(after[i].x, before[i].x, 1e-6);
    EXPECT_NEAR(after[i].y, before[i].y, 1e-6);
  }
}

TEST(PoseAlign, AbsentPointsStayAbsentAndTheirChildrenHangOn) {
  KeypointClip clip = driving();
  Person& person = clip.frames[2].people[0];
  person.at(BodyPart::RElbow) = {};
  person.at(BodyPart::Neck) = {};
  clip.frames[1].people.clear();
  clip.frames[3].people.push_back(person);

  const KeypointClip result = aligned(clip);

  EXPECT_TRUE(result.frames[1].people.empty());
  EXPECT_FALSE(result.frames[2].people[0].at(BodyPart::RElbow).present());
  EXPECT_FALSE(result.frames[2].people[0].at(BodyPart::Neck).present());
  EXPECT_TRUE(result.frames[2].people[0].at(BodyPart::RWrist).present());
  EXPECT_EQ(result.frames[3].people.size(), 1U) << "other people are dropped";
  EXPECT_EQ(result.frames[3], aligned(driving()).frames[3]);
}

TEST(PoseAlign, AMissingRatioIsTheMeanOfTheOthers) {
  Person ref = reference();
  ref.left_hand.clear();
  ref.right_hand.clear();
  const auto wanted = golden().values<double>("ratios");
  double sum = 0;
  for (size_t i = 0; i < wanted.size(); ++i) sum += i == 5 ? 0 : wanted[i];

  const auto ratios = limb_ratios(ref, 0.75, driving().frames[0].people[0], 1280.0 / 720);

  ASSERT_TRUE(ratios);
  EXPECT_NEAR(ratios->hands, sum / 8, 1e-6);
}

TEST(PoseAlign, RefusesWhatCanNotBeCompared) {
  KeypointClip empty = driving();
  for (Keypoints& frame : empty.frames) frame.people.clear();

  EXPECT_FALSE(align_poses(reference(), kWidth, kHeight, empty));
  EXPECT_FALSE(align_poses(Person{}, kWidth, kHeight, driving()));
  EXPECT_FALSE(align_poses(reference(), 0, kHeight, driving()));
  EXPECT_FALSE(limb_ratios(Person{}, 1, reference(), 1));
}

}  // namespace
}  // namespace zt::data
