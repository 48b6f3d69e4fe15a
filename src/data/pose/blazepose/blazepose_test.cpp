// SPDX-License-Identifier: Apache-2.0
// The real networks on real footage, against joints marked by eye in pictures enlarged five and two times.
// These tests skip where scripts/setup has not fetched networks and footage.
#include "data/pose/blazepose/blazepose.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <utility>

#include "data/pose/blazepose/litert.hpp"
#include "media/video_reader.hpp"
#include "support/footage.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

struct Marked {
  BodyPart part;
  double x, y;  // pixels
};

// Largest distance of a present joint from its mark, in pixels.
double largest_error(const Person& person, const std::vector<Marked>& marks, const image::Image& picture) {
  double largest = 0;
  for (const Marked& mark : marks) {
    const Keypoint& point = person.at(mark.part);
    EXPECT_GT(point.confidence, 0.3F) << "body part " << static_cast<int>(mark.part);
    largest = std::max(largest, std::hypot(static_cast<double>(point.x) * picture.width - mark.x,
                                           static_cast<double>(point.y) * picture.height - mark.y));
  }
  return largest;
}

class BlazePoseOnFootage : public testing::Test {
 protected:
  void SetUp() override {
    const auto files = find_blazepose();
    if (!files || !std::filesystem::exists(test::footage("bikes.mp4"))) {
      GTEST_SKIP() << "networks or footage are not in .deps: run scripts/setup --dev";
    }
    const auto factory = blazepose_factory(*files, {});
    ASSERT_TRUE(factory) << factory.error().text();
    auto estimator = (*factory)(1);
    ASSERT_TRUE(estimator) << estimator.error().text();
    estimator_ = std::move(*estimator);
  }
  std::unique_ptr<FrameEstimator> estimator_;
};

TEST_F(BlazePoseOnFootage, FindsHeadAndShouldersOfATalkingMan) {
  const auto picture = media::read_frame(test::footage("carphone_pristine.mp4"), 0);
  ASSERT_TRUE(picture);

  const auto people = estimator_->next(*picture);

  ASSERT_TRUE(people) << people.error().text();
  ASSERT_EQ(people->size(), 1U);
  const Person& man = people->front().person;
  EXPECT_LT(largest_error(man, {{BodyPart::Nose, 92, 69}, {BodyPart::REye, 77, 61}, {BodyPart::LEye, 98, 56}},
                          *picture),
            6);
  EXPECT_LT(largest_error(man, {{BodyPart::RShoulder, 40, 122}, {BodyPart::LShoulder, 158, 96}}, *picture),
            18);
  EXPECT_LT(man.at(BodyPart::RAnkle).confidence, 0.3F);
}

TEST_F(BlazePoseOnFootage, FindsTheFaceAndKnowsThatNoHandIsInThePicture) {
  const auto picture = media::read_frame(test::footage("carphone_pristine.mp4"), 0);
  ASSERT_TRUE(picture);

  const auto people = estimator_->next(*picture);

  ASSERT_TRUE(people && people->size() == 1);
  const Person& man = people->front().person;
  ASSERT_EQ(man.face.size(), kNumFace);
  const auto distance = [&](size_t i, double x, double y) {
    return std::hypot(static_cast<double>(man.face[i].x) * 176 - x,
                      static_cast<double>(man.face[i].y) * 144 - y);
  };
  EXPECT_LT(distance(8, 97, 101), 6) << "chin";
  EXPECT_LT(distance(48, 83, 83), 6) << "the mouth's right corner";
  EXPECT_LT(distance(54, 101, 79), 6) << "the mouth's left corner";
  ASSERT_EQ(man.left_hand.size(), kNumHand);
  EXPECT_FALSE(man.left_hand[0].present());
}

TEST_F(BlazePoseOnFootage, FindsTheJointsOfACyclist) {
  const auto picture = media::read_frame(test::footage("bikes.mp4"), 120);
  ASSERT_TRUE(picture);

  const auto people = estimator_->next(*picture);

  ASSERT_TRUE(people) << people.error().text();
  ASSERT_EQ(people->size(), 1U);
  const std::vector<Marked> marks = {
      {BodyPart::Nose, 434, 46},    {BodyPart::RShoulder, 400, 65}, {BodyPart::LShoulder, 457, 65},
      {BodyPart::RElbow, 387, 112}, {BodyPart::LElbow, 475, 107},   {BodyPart::RWrist, 356, 107},
      {BodyPart::LWrist, 470, 141}, {BodyPart::RHip, 415, 142},     {BodyPart::RKnee, 422, 187},
      {BodyPart::RAnkle, 419, 262}, {BodyPart::LKnee, 480, 167}};
  EXPECT_LT(largest_error(people->front().person, marks, *picture), 20) << "the man is about 260 pixels high";
}

TEST_F(BlazePoseOnFootage, FollowsOnePersonUnderOneNumber) {
  auto reader = media::VideoReader::open(test::footage("carphone_pristine.mp4"));
  ASSERT_TRUE(reader);
  for (int frame = 0; frame < 6; ++frame) {
    const auto picture = reader->next();
    ASSERT_TRUE(picture && *picture);

    const auto people = estimator_->next(**picture);

    ASSERT_TRUE(people);
    ASSERT_EQ(people->size(), 1U) << "frame " << frame;
    EXPECT_EQ(people->front().track, 0);
  }
}

TEST_F(BlazePoseOnFootage, SeesNobodyInADriftOfColours) {
  const auto people = estimator_->next(image::filled(320, 200, {90, 120, 60}));

  ASSERT_TRUE(people);
  EXPECT_TRUE(people->empty());
}

TEST(FindBlazepose, NamesTheCommandThatGetsTheFiles) {
  const test::TempFolder folder;

  const auto files = find_blazepose(folder.path());

  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, ErrorCode::NotFound);
  EXPECT_NE(files.error().message.find("scripts/setup"), std::string::npos);
}

TEST(FindBlazepose, PrefersTheLargestLandmarkNetwork) {
  const test::TempFolder folder;
  for (const char* name : {"libLiteRt.so", "pose_detection.tflite", "pose_landmark_lite.tflite",
                           "pose_landmark_full.tflite", "pose_landmark_heavy.tflite"}) {
    std::ofstream(folder / name) << "x";
  }

  const auto files = find_blazepose(folder.path());

  ASSERT_TRUE(files);
  EXPECT_EQ(files->landmarks.filename(), "pose_landmark_heavy.tflite");
}

TEST(LiteRtLibrary, RefusesWhatIsNoLibraryOrAnotherOne) {
  const test::TempFolder folder;
  std::ofstream(folder / "libLiteRt.so") << "not a library";

  EXPECT_EQ(LiteRt::open(folder / "absent.so").error().code, ErrorCode::NotFound);
  EXPECT_EQ(LiteRt::open(folder / "libLiteRt.so").error().code, ErrorCode::Unsupported);
  const auto other = LiteRt::open("/lib/x86_64-linux-gnu/libm.so.6");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::Unsupported);
}

TEST_F(BlazePoseOnFootage, RefusesADamagedNetwork) {
  const test::TempFolder folder;
  auto files = *find_blazepose();
  std::filesystem::copy_file(files.detector, folder / "cut.tflite");
  std::filesystem::resize_file(folder / "cut.tflite", 1000);
  files.detector = folder / "cut.tflite";

  const auto factory = blazepose_factory(files, {});

  ASSERT_FALSE(factory);
  EXPECT_EQ(factory.error().code, ErrorCode::Corrupt);
}

}  // namespace
}  // namespace zt::data
