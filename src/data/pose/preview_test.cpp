// SPDX-License-Identifier: Apache-2.0
// The preview of `data pose` beside what training draws of the same key-points.
#include <gtest/gtest.h>

#include "data/from_job.hpp"
#include "data/pose/extract_poses.hpp"
#include "data/puppet/puppet.hpp"
#include "data/sample/frame_source.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

constexpr int kSide = 128;
constexpr int kNumFrames = 2;

// A puppet whose wrist is in doubt, and half a picture further another one.
KeypointClip doubtful_pair() {
  KeypointClip clip{.width = kSide, .height = kSide, .fps_num = 25, .source = "test", .frames = {}};
  for (int f = 0; f < kNumFrames; ++f) {
    Keypoints frame = Puppet({}, 1, 1).keypoints(f);
    frame.people.push_back(frame.people[0]);
    for (Keypoint& point : frame.people[1].body) point.x += 0.5F;
    frame.people[0].at(BodyPart::RWrist).confidence = 0.2F;
    frame.people[0].face.assign(kNumFace, {0.1F, 0.1F, 1});
    clip.frames.push_back(frame);
  }
  return clip;
}

// It showed the second person and the wrist, and left out the face.
TEST(PosePreview, ShowsWhatTrainingDraws) {
  const test::TempFolder folder;
  const auto films = test::drifting_clip(kSide, kSide, kNumFrames);
  ASSERT_TRUE(media::write_video(folder / "a.mp4", films, {.width = kSide, .height = kSide}));
  ASSERT_TRUE(write_keypoints(folder / "a_keypoints.jsonl", doubtful_pair()));
  config::PoseJob job;
  job.inputs = {(folder / "a.mp4").string()};
  job.min_confidence = 0.1;
  job.max_people = 2;
  job.face = false;
  const FrameEstimatorFactory unused = [](int) -> Result<std::unique_ptr<FrameEstimator>> {
    return fail(ErrorCode::Internal, "the key-points are there");
  };
  ASSERT_TRUE(extract_poses(job, unused));

  ClipIndex index{folder.path(), {ClipRecord()}};
  index.clips[0].keypoints = "a_keypoints.jsonl";
  LoadSampleOptions training;
  training.width = training.height = kSide;
  training.draw = draw_options(config::DataJob());
  training.parts = {.reference = false, .reference_whole = false, .targets = false};
  SamplePlan plan;
  plan.target_frames = {0, 1};
  const auto wanted = load_sample(index, plan, training);
  ASSERT_TRUE(wanted) << wanted.error().text();
  auto preview = FrameSource::open(folder / "a_dwpose.mp4");
  ASSERT_TRUE(preview) << preview.error().text();
  const auto shown = preview->frames(plan.target_frames);
  ASSERT_TRUE(shown) << shown.error().text();

  // What H.264 costs; with the second person 14 dB, with the wrist 22.
  for (size_t i = 0; i < 2; ++i) EXPECT_GT(test::psnr_of((*shown)[i], wanted->poses[i]), 27) << i;
}

}  // namespace
}  // namespace zt::data
