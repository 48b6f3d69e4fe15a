// SPDX-License-Identifier: Apache-2.0
// The text of the worked example in docs/formats/keypoints.md, written by hand.
#include "data/keypoints/keypoints.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

using ::testing::HasSubstr;

const std::string kHeader =
    R"({"format":"zoetrope-keypoints","version":1,"width":64,"height":48,"fps_num":25,"fps_den":2,"frames":2,"source":"by hand"})";
const std::string kAbsent15 =
    ",0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0";
const std::string kBody = "\"body\":[0.5,0.25,0.9,0.12346,-0.2,1,0,0,0" + kAbsent15 + "]";
const std::string kText =
    kHeader + "\n{\"frame\":0,\"people\":[{" + kBody + "}]}\n{\"frame\":1,\"people\":[]}\n";

KeypointClip example() {
  KeypointClip clip;
  clip.width = 64;
  clip.height = 48;
  clip.fps_num = 25;
  clip.fps_den = 2;
  clip.source = "by hand";
  clip.frames.resize(2);
  Person person;
  person.at(BodyPart::Nose) = {0.5F, 0.25F, 0.9F};
  person.at(BodyPart::Neck) = {0.12346F, -0.2F, 1.0F};
  clip.frames[0].people.push_back(person);
  return clip;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Keypoints, AreWrittenAsTheFormatSays) { EXPECT_EQ(format_keypoints(example()), kText); }

TEST(Keypoints, AreReadAsTheFormatSays) {
  const auto clip = parse_keypoints(kText);

  ASSERT_TRUE(clip) << clip.error().text();
  EXPECT_EQ(*clip, example());
}

TEST(Keypoints, HandsAndFaceSurviveAFile) {
  KeypointClip clip = example();
  Person& person = clip.frames[0].people[0];
  person.left_hand.assign(kNumHand, {0.25F, 0.5F, 1.0F});
  person.face.assign(kNumFace, {});
  person.face[3] = {0.125F, 0.75F, 0.5F};
  clip.frames[1].people.assign(3, person);
  const test::TempFolder folder;

  ASSERT_TRUE(write_keypoints(folder / "a.jsonl", clip));
  const auto read = read_keypoints(folder / "a.jsonl");

  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(*read, clip);
}

/// "a,b,c" n times, separated by commas.
std::string times(size_t n, const std::string& point) {
  std::string all;
  for (size_t i = 0; i < n; ++i) all += (i == 0 ? "" : ",") + point;
  return all;
}

// A left hand whose wrist and little finger's tip alone are seen; a right hand that nobody looked for.
TEST(Keypoints, HandsAndFaceAreWrittenAsTheFormatSays) {
  KeypointClip clip = example();
  Person& person = clip.frames[0].people[0];
  person.left_hand.assign(kNumHand, {});
  person.left_hand[0] = {0.75F, 0.5F, 1};
  person.left_hand[20] = {0.875F, 0.25F, 0.5F};
  person.face.assign(kNumFace, {0.5F, 0.125F, 1});
  const std::string parts = ",\"left_hand\":[0.75,0.5,1," + times(19, "0,0,0") +
                            ",0.875,0.25,0.5],\"face\":[" + times(kNumFace, "0.5,0.125,1") + "]";
  const std::string text = replaced(kText, kBody, kBody + parts);

  EXPECT_EQ(format_keypoints(clip), text);
  const auto read = parse_keypoints(text);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(*read, clip);
}

TEST(Keypoints, TheHandsAreNotMixedUp) {
  const std::string left = ",\"left_hand\":[" + times(kNumHand, "0.75,0.5,1") + "]",
                    right = ",\"right_hand\":[" + times(kNumHand, "0.25,0.5,1") + "]";

  for (const std::string& parts : {left + right, right + left}) {
    const auto read = parse_keypoints(replaced(kText, kBody, kBody + parts));
    ASSERT_TRUE(read) << read.error().text();
    const Person& person = read->frames[0].people[0];
    EXPECT_EQ(person.left_hand, std::vector<Keypoint>(kNumHand, {0.75F, 0.5F, 1}));
    EXPECT_EQ(person.right_hand, std::vector<Keypoint>(kNumHand, {0.25F, 0.5F, 1}));
    EXPECT_TRUE(person.face.empty());
  }
}

TEST(Keypoints, APartOfAnotherNumberOfPointsIsRefused) {
  for (const std::string& parts :
       {",\"left_hand\":[" + times(20, "0,0,0") + "]", ",\"right_hand\":[" + times(22, "0,0,0") + "]",
        ",\"face\":[" + times(67, "0,0,0") + "]", ",\"left_hand\":[" + times(21, "0.5,2000,1") + "]",
        std::string(",\"right_hand\":[]"), std::string(",\"left_hand\":null")}) {
    const auto read = parse_keypoints(replaced(kText, kBody, kBody + parts));
    ASSERT_FALSE(read) << parts;
    EXPECT_THAT(read.error().message, HasSubstr("line 2: person 0"));
  }
}

TEST(Keypoints, CoordinatesKeepFiveDecimals) {
  KeypointClip clip = example();
  clip.frames[0].people[0].at(BodyPart::Nose) = {0.1234549F, -0.000001F, 1.0F};

  EXPECT_THAT(format_keypoints(clip), HasSubstr("\"body\":[0.12345,0,1,"));
}

TEST(Keypoints, AnAbsentPointHasNoPlace) {
  const auto clip = parse_keypoints(replaced(kText, "0.5,0.25,0.9", "0.5,0.25,0"));

  ASSERT_TRUE(clip);
  EXPECT_EQ(clip->frames[0].people[0].at(BodyPart::Nose), Keypoint{});
}

TEST(Keypoints, AreRefusedWithTheLine) {
  const std::vector<std::pair<std::string, std::string>> damaged = {
      {"", "line 1: the file is empty"},
      {replaced(kText, "zoetrope-keypoints", "keypoints"), "line 1: no \"format\""},
      {replaced(kText, "\"version\":1", "\"version\":2"), "line 1: version 2, this program reads 1"},
      {replaced(kText, "\"width\":64", "\"width\":64.5"), "line 1: width"},
      {replaced(kText, "\"fps_den\":2", "\"fps_den\":0"), "line 1: width, height, fps_num, fps_den"},
      {replaced(kText, "\"frames\":2", "\"frames\":3"), "the file ends after 2 of 3 frames"},
      {replaced(kText, "\"frames\":2", "\"frames\":1"), "line 3: more frames than the 1"},
      {replaced(kText, "\"frames\":2", "\"frames\":99999999999999999999"), "line 1: width"},
      {replaced(kText, "\"frame\":1", "\"frame\":2"), "line 3: not frame 1"},
      {replaced(kText, "0.12346", "\"x\""), "line 2: person 0"},
      {replaced(kText, "0.12346", "1e30"), "line 2: person 0"},
      {replaced(kText, ",0.9,", ",1.5,"), "line 2: person 0"},
      {replaced(kText, "[0.5,", "[0.5,0.5,"), "line 2: person 0"},
      {replaced(kText, "{" + kBody + "}", "{}"), "line 2: person 0"},
      {replaced(kText, "\"people\":[]", "\"people\":7"), "line 3: no list of people"},
      {replaced(kText, "[]}", "[]"), "line 3: not a JSON object"},
      {kText.substr(0, kText.size() - 20), "line 3: not a JSON object"},
  };

  for (const auto& [text, message] : damaged) {
    const auto clip = parse_keypoints(text);
    ASSERT_FALSE(clip) << message;
    EXPECT_EQ(clip.error().code, ErrorCode::Corrupt);
    EXPECT_THAT(clip.error().message, HasSubstr(message));
  }
}

TEST(Keypoints, ChosenFramesAreReadInTheOrderAskedFor) {
  KeypointClip clip = example();
  clip.frames.resize(6);
  for (size_t f = 0; f < 6; ++f) {
    Person person;
    person.at(BodyPart::Nose) = {static_cast<float>(f), 0, 1};
    clip.frames[f].people = {person};
  }
  const std::string text = format_keypoints(clip);

  const auto frames = parse_keypoint_frames(text, std::vector<int64_t>{4, 0, 4, 5});

  ASSERT_TRUE(frames) << frames.error().text();
  ASSERT_EQ(frames->size(), 4U);
  for (const auto& [at, wanted] : std::vector<std::pair<size_t, size_t>>{{0, 4}, {1, 0}, {2, 4}, {3, 5}})
    EXPECT_EQ((*frames)[at], clip.frames[wanted]);
  const auto beyond = parse_keypoint_frames(text, std::vector<int64_t>{6});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::InvalidArgument);
}

TEST(Keypoints, TheBoxGoesAroundPresentPointsOnly) {
  Person person;
  person.at(BodyPart::Neck) = {0.5F, 0.25F, 1.0F};
  person.at(BodyPart::RAnkle) = {0.375F, 0.875F, 0.1F};
  person.face.assign(kNumFace, {});

  EXPECT_EQ(bounding_box(person), (std::array<double, 4>{0.375, 0.25, 0.5, 0.875}));
  person.left_hand.assign(kNumHand, {});
  person.left_hand[8] = {0.75F, 0.5F, 1};
  person.right_hand.assign(kNumHand, {});
  person.right_hand[8] = {0.25F, 0.125F, 1};
  EXPECT_EQ(bounding_box(person), (std::array<double, 4>{0.25, 0.125, 0.75, 0.875}));
  EXPECT_EQ(bounding_box(Person{}), (std::array<double, 4>{0, 0, 0, 0}));
}

TEST(Keypoints, AreSeenInACrop) {
  Keypoints keypoints;
  keypoints.people.resize(1);
  keypoints.people[0].at(BodyPart::Nose) = {0.5F, 0.5F, 0.9F};

  const Keypoints cropped = crop_keypoints(keypoints, {0.25, 0.5, 0.75, 1.0});

  EXPECT_EQ(cropped.people[0].at(BodyPart::Nose), (Keypoint{0.5F, 0.0F, 0.9F}));
  EXPECT_EQ(cropped.people[0].at(BodyPart::Neck), Keypoint{});
}

TEST(Keypoints, HandsAndFaceAreSeenInACropToo) {
  Keypoints keypoints;
  keypoints.people.resize(1);
  Person& person = keypoints.people[0];
  person.left_hand.assign(kNumHand, {});
  person.left_hand[20] = {0.5F, 0.75F, 1};
  person.right_hand.assign(kNumHand, {0.125F, 0.5F, 1});
  person.face.assign(kNumFace, {0.375F, 0.875F, 1});

  const Keypoints cropped = crop_keypoints(keypoints, {0.25, 0.5, 0.75, 1.0});

  EXPECT_EQ(cropped.people[0].left_hand[20], (Keypoint{0.5F, 0.5F, 1}));
  EXPECT_EQ(cropped.people[0].left_hand[19], Keypoint{});
  EXPECT_EQ(cropped.people[0].right_hand, std::vector<Keypoint>(kNumHand, {-0.25F, 0, 1}));
  EXPECT_EQ(cropped.people[0].face, std::vector<Keypoint>(kNumFace, {0.25F, 0.75F, 1}));
}

}  // namespace
}  // namespace zt::data
