// SPDX-License-Identifier: Apache-2.0
#include "data/pose/estimate_clip.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "image/file.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

constexpr auto kNose = BodyPart::Nose, kHip = BodyPart::RHip;

// Somebody whose box has this size, with the nose at its top left corner.
TrackedPerson person(int64_t track, float x, float size, float confidence = 0.9F) {
  TrackedPerson seen{track, {}};
  seen.person.at(kNose) = {x, 0.1F, confidence};
  seen.person.at(kHip) = {x + size, 0.1F + size, confidence};
  return seen;
}

// Reports one person per picture, whose nose x is the mean brightness of the red channel, and counts the
// pictures.
class BrightnessEstimator final : public FrameEstimator {
 public:
  Result<std::vector<TrackedPerson>> next(const image::Image& picture) override {
    double sum = 0;
    for (size_t i = 0; i < picture.pixels.size(); i += 3) sum += picture.pixels[i];
    const double mean = sum / (static_cast<double>(picture.pixels.size()) / 3) / 255;
    return std::vector{person(0, static_cast<float>(mean), 0.1F)};
  }
  std::string name() const override { return "brightness"; }
};

image::Image grey(int level) {
  const auto value = static_cast<uint8_t>(level);
  return image::filled(32, 16, {value, value, value});
}

TEST(KeepPeople, TakesTheLargestTrack) {
  const auto frames = keep_people({{person(3, 0.1F, 0.1F), person(7, 0.4F, 0.3F)}}, {});

  ASSERT_EQ(frames[0].people.size(), 1U);
  EXPECT_FLOAT_EQ(frames[0].people[0].at(kNose).x, 0.4F);
}

TEST(KeepPeople, KeepsEverybodyAtTheSamePlaceInEveryPicture) {
  ClipPoseOptions options;
  options.max_people = 0;
  options.min_track_frames = 1;
  options.max_gap_frames = 0;

  const auto frames =
      keep_people({{person(1, 0.1F, 0.1F), person(2, 0.4F, 0.3F)}, {person(1, 0.2F, 0.1F)}, {}}, options);

  ASSERT_EQ(frames[1].people.size(), 2U);
  EXPECT_EQ(frames[1].people[0], Person{}) << "the largest is absent and holds its place";
  EXPECT_FLOAT_EQ(frames[1].people[1].at(kNose).x, 0.2F);
  EXPECT_TRUE(frames[2].people.empty());
}

TEST(KeepPeople, DropsShortTracksOfLongClips) {
  std::vector<std::vector<TrackedPerson>> pictures(10, std::vector{person(1, 0.1F, 0.1F)});
  for (size_t i = 0; i < 4; ++i) pictures[i].push_back(person(2, 0.3F, 0.6F));

  const auto frames = keep_people(pictures, {});

  EXPECT_FLOAT_EQ(frames[0].people.at(0).at(kNose).x, 0.1F);
}

TEST(KeepPeople, ForgetsUnsurePointsAndFillsTheGapTheyLeave) {
  ClipPoseOptions options;
  options.smoothing = 0;
  const auto frames =
      keep_people({{person(1, 0.1F, 0.1F)}, {person(1, 0.9F, 0.1F, 0.2F)}, {person(1, 0.3F, 0.1F)}}, options);

  EXPECT_NEAR(frames[1].people.at(0).at(kNose).x, 0.2, 1e-6);
}

TEST(EstimateClip, ReadsTheFramesAskedForFromAVideo) {
  const test::TempFolder folder;
  std::vector<image::Image> pictures;
  for (int i = 0; i < 8; ++i) pictures.push_back(grey(20 * i));
  ASSERT_TRUE(media::write_video(folder / "a.mp4", pictures,
                                 {.width = 32, .height = 16, .fps = {24000, 1001}, .crf = 0}));
  BrightnessEstimator estimator;
  int64_t calls = 0;

  const auto clip =
      estimate_clip(estimator, {folder / "a.mp4", 2, 3}, {.smoothing = 0}, [&](int64_t n) { calls = n; });

  ASSERT_TRUE(clip) << clip.error().text();
  EXPECT_EQ(clip->frames.size(), 3U);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(clip->fps_num, 24000);
  EXPECT_EQ(clip->width, 32);
  EXPECT_EQ(clip->source, "brightness");
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(clip->frames[static_cast<size_t>(i)].people.at(0).at(kNose).x, 20 * (i + 2) / 255.0, 0.01);
  }
}

TEST(EstimateClip, ReadsAFolderOfPicturesToItsEnd) {
  const test::TempFolder folder;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(image::write_png(folder / (std::to_string(i + 9) + ".png"), grey(50 * i)));
  BrightnessEstimator estimator;

  const auto clip = estimate_clip(estimator, {folder.path(), 0, 0}, {.smoothing = 0});

  ASSERT_TRUE(clip) << clip.error().text();
  ASSERT_EQ(clip->frames.size(), 3U);
  EXPECT_NEAR(clip->frames[2].people.at(0).at(kNose).x, 100 / 255.0, 1e-3) << "11.png is the last";
}

TEST(EstimateClip, SaysWhenThereAreFewerFramesThanAskedFor) {
  const test::TempFolder folder;
  ASSERT_TRUE(media::write_video(folder / "a.mp4", std::vector(4, grey(9)), {.width = 32, .height = 16}));
  BrightnessEstimator estimator;

  const auto clip = estimate_clip(estimator, {folder / "a.mp4", 2, 3}, {});

  ASSERT_FALSE(clip);
  EXPECT_EQ(clip.error().code, ErrorCode::Corrupt);
}

// A large person in shot 1 and a small one in shot 2, who move differently and have numbers of their own, or
// one and the same number.
class TwoShotEstimator final : public FrameEstimator {
 public:
  explicit TwoShotEstimator(bool is_one_number) : is_one_number_(is_one_number) {}
  Result<std::vector<TrackedPerson>> next(const image::Image&) override {
    const float size = shot_ == 0 ? 0.3F : 0.1F;
    return std::vector{person(is_one_number_ ? 0 : shot_, shot_ == 0 ? 0.1F : 0.7F, size)};
  }
  void begin_shot() override { ++shot_; }
  std::string name() const override { return "two shots"; }

 private:
  bool is_one_number_;
  int64_t shot_ = 0;
};

KeypointClip two_shot_clip(bool is_one_number) {
  const test::TempFolder folder;
  const std::filesystem::path film = folder / "film.mp4";
  EXPECT_TRUE(media::write_video(film, std::vector(12, grey(90)), {.width = 32, .height = 16}));
  TwoShotEstimator estimator(is_one_number);
  auto clip = estimate_clip(estimator, {film, 0, 12, {6}}, {});
  if (!clip) return ADD_FAILURE() << clip.error().text(), KeypointClip();
  return *std::move(clip);
}

// Only the track that was the largest of the whole film was kept: nobody was left in the other shots.
TEST(EstimateClip, KeepsTheLargestTrackOfEveryShot) {
  const KeypointClip clip = two_shot_clip(/*is_one_number=*/false);

  ASSERT_EQ(clip.frames.size(), 12U);
  EXPECT_FLOAT_EQ(clip.frames[5].people.at(0).at(kNose).x, 0.1F);
  ASSERT_EQ(clip.frames[6].people.size(), 1U);
  EXPECT_FLOAT_EQ(clip.frames[6].people[0].at(kNose).x, 0.7F);
}

TEST(EstimateClip, DoesNotSmoothAcrossACut) {
  const KeypointClip clip = two_shot_clip(/*is_one_number=*/true);

  ASSERT_EQ(clip.frames.size(), 12U);
  for (size_t f = 0; f < 12; ++f)
    EXPECT_NEAR(clip.frames[f].people.at(0).at(kNose).x, f < 6 ? 0.1F : 0.7F, 1e-6F) << f;
}

}  // namespace
}  // namespace zt::data
