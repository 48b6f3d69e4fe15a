// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/meta_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/files/files.hpp"
#include "data/from_job.hpp"
#include "data/keypoints/keypoints.hpp"
#include "image/file.hpp"
#include "support/clip_set.hpp"
#include "support/descriptor_limit.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

using ::testing::HasSubstr;

std::string entry(const std::filesystem::path& video, const std::filesystem::path& pose) {
  return R"({"video_path": ")" + video.string() + R"(", "kps_path": ")" + pose.string() + R"(", "extra": 1})";
}

/// Two good pairs, one whose lengths differ and one that is missing, in two lists.
class MetaListTest : public ::testing::Test {
 protected:
  MetaListTest() {
    test::write_clip_set(folder_.path(), 2, 9);
    std::filesystem::create_directory(folder_ / "longer");
    test::write_clip_set(folder_ / "longer", 1, 10);
    write("a_meta.json", "[" + entry(folder_ / "clip-0.mp4", folder_ / "clip-0_pose.mp4") + "," +
                             entry(folder_ / "longer/clip-0.mp4", folder_ / "clip-0_pose.mp4") + "]");
    write("b_meta.json", "[" + entry(folder_ / "gone.mp4", folder_ / "gone_pose.mp4") + "," +
                             entry(folder_ / "clip-1.mp4", folder_ / "clip-1_pose.mp4") + "]");
  }
  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(files::write_atomic(folder_ / name, text));
    lists_.push_back(folder_ / name);
  }

  test::TempFolder folder_;
  std::vector<std::filesystem::path> lists_;
};

TEST_F(MetaListTest, BecomesAnIndexOfTheUsablePairs) {
  const auto index = index_meta_lists(lists_, 2);

  ASSERT_TRUE(index) << index.error().text();
  ASSERT_EQ(index->clips.size(), 2U);
  const ClipRecord& clip = index->clips[1];
  EXPECT_EQ(clip.id, "clip-000003");
  EXPECT_EQ(index->path(clip.video), folder_ / "clip-1.mp4");
  EXPECT_EQ(index->path(clip.pose_video), folder_ / "clip-1_pose.mp4");
  EXPECT_EQ(clip.num_frames, 9);
  EXPECT_EQ(clip.width, 32);
  EXPECT_EQ(clip.pose_height, 16);
  EXPECT_EQ(clip.fps(), 12);
  EXPECT_EQ(clip.split, "train");
  EXPECT_NE(clip.content, index->clips[0].content);
  EXPECT_EQ(index->digest(), index_meta_lists(lists_, 1)->digest());
}

TEST_F(MetaListTest, KeepsWhatOurOwnListsSayBeyondMoores) {
  lists_.clear();
  write("c_meta.json",
        R"([{"video_path": "clip-0.mp4", "keypoints_path": "clip-0.jsonl", "split": "val_a", "motion": 7}])");

  const auto index = index_meta_lists(lists_, 1);

  ASSERT_TRUE(index) << index.error().text();
  EXPECT_EQ(index->path(index->clips[0].keypoints), folder_ / "clip-0.jsonl");
  EXPECT_EQ(index->clips[0].split, "val_a");
  EXPECT_EQ(index->clips[0].motion, 7);
  EXPECT_EQ(index->clips[0].pose_width, 0);
}

TEST_F(MetaListTest, WhatIsNoListIsTheConfigurationsFault) {
  lists_.clear();
  write("no_meta.json", "{}");
  EXPECT_EQ(index_meta_lists(lists_, 1).error().code, ErrorCode::InvalidConfig) << "no restart mends it";
}

// They were taken unseen, and the training failed at the first sample that drew them.
TEST_F(MetaListTest, LeavesOutKeypointsThatAreMissingShortOrDamaged) {
  lists_.clear();
  KeypointClip keypoints = test::moving_keypoints(32, 32, 8);
  ASSERT_TRUE(write_keypoints(folder_ / "short.jsonl", keypoints));
  keypoints.frames.resize(9);
  ASSERT_TRUE(write_keypoints(folder_ / "good.jsonl", keypoints));
  ASSERT_TRUE(write_keypoints(folder_ / "torn.jsonl", keypoints));
  std::filesystem::resize_file(folder_ / "torn.jsonl",
                               std::filesystem::file_size(folder_ / "torn.jsonl") - 5);
  std::string entries;
  for (const char* name : {"missing", "short", "torn", "good"})
    entries += (entries.empty() ? "" : ",") +
               std::string(R"({"video_path": "clip-0.mp4", "keypoints_path": ")") + name + R"(.jsonl"})";
  write("c_meta.json", "[" + entries + "]");

  const auto index = index_meta_lists(lists_, 1);

  ASSERT_TRUE(index) << index.error().text();
  ASSERT_EQ(index->clips.size(), 1U);
  EXPECT_EQ(index->path(index->clips[0].keypoints), folder_ / "good.jsonl");
}

TEST_F(MetaListTest, TakesFoldersOfPictures) {
  lists_.clear();
  for (const char* name : {"frames", "poses", "fewer"}) {
    std::filesystem::create_directory(folder_ / name);
    for (int i = 0; i < (std::string(name) == "fewer" ? 4 : 5); ++i)
      ASSERT_TRUE(image::write_png(folder_ / name / (std::to_string(i) + ".png"), image::Image(32, 24)));
  }
  write("c_meta.json", "[" + entry("frames", "poses") + "," + entry("frames", "fewer") + "]");

  const auto index = index_meta_lists(lists_, 1);

  ASSERT_TRUE(index) << index.error().text();
  ASSERT_EQ(index->clips.size(), 1U);
  EXPECT_EQ(index->clips[0].num_frames, 5);
  EXPECT_EQ(index->clips[0].height, 24);
  EXPECT_EQ(index->clips[0].pose_width, 32);
}

// They were taken at their header's word, and the training met the end when a sample drew it.
TEST_F(MetaListTest, LeavesOutVideosAndPosesThatEndEarly) {
  lists_.clear();
  for (const char* name : {"cut.mp4", "cut_pose.mp4", "cut.mkv"}) {
    const std::filesystem::path path = folder_ / name;
    ASSERT_TRUE(media::write_video(path, test::drifting_clip(32, 32, 9), {.width = 32, .height = 32}));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) * 7 / 10);
  }
  write("c_meta.json", "[" + entry("cut.mp4", "clip-0_pose.mp4") + "," + entry("clip-0.mp4", "cut_pose.mp4") +
                           "," + entry("cut.mkv", "clip-0_pose.mp4") + "," +
                           entry("clip-1.mp4", "clip-1_pose.mp4") + "]");

  const auto index = index_meta_lists(lists_, 1);

  ASSERT_TRUE(index) << index.error().text();
  ASSERT_EQ(index->clips.size(), 1U);
  EXPECT_EQ(index->clips[0].id, "clip-000003");
}

TEST_F(MetaListTest, LeavesOutFoldersWhoseLastPictureIsTorn) {
  lists_.clear();
  for (const char* name : {"frames", "torn", "poses"}) {
    std::filesystem::create_directory(folder_ / name);
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE(image::write_png(folder_ / name / (std::to_string(i) + ".png"), image::Image(32, 24)));
  }
  std::filesystem::resize_file(folder_ / "torn/4.png", 40);
  write("c_meta.json", "[" + entry("torn", "poses") + "," + entry("frames", "poses") + "]");

  const auto index = index_meta_lists(lists_, 1);

  ASSERT_TRUE(index) << index.error().text();
  ASSERT_EQ(index->clips.size(), 1U);
  EXPECT_EQ(index->clips[0].id, "clip-000001");
}

TEST_F(MetaListTest, LeavesOutAMaskOfAnotherLength) {
  lists_.clear();
  write("c_meta.json",
        R"([{"video_path": "clip-0.mp4", "kps_path": "clip-0_pose.mp4", "mask_path": "longer/clip-0.mp4"},
            {"video_path": "clip-1.mp4", "kps_path": "clip-1_pose.mp4"}])");

  const auto index = index_meta_lists(lists_, 1);

  ASSERT_TRUE(index) << index.error().text();
  EXPECT_EQ(index->clips.size(), 1U);
}

TEST_F(MetaListTest, WithoutAUsablePairIsAnError) {
  write("c_meta.json", "[]");

  const auto index = index_meta_lists(std::vector{lists_.back()}, 1);

  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code, ErrorCode::InvalidArgument);
}

TEST_F(MetaListTest, AJobDrawsFromItsLists) {
  config::DataJob job;
  for (const auto& list : lists_) job.meta_paths.push_back(list.string());
  job.width = job.height = 32;
  job.n_sample_frames = 3;
  job.sample_rate = 2;
  job.decode_threads = 1;

  auto clips = open_clips(job);
  ASSERT_TRUE(clips) << clips.error().text();
  const SamplePlanOptions plan = plan_options(job, 2, 5);
  const auto planned = plan_sample(plan, *clips, 0);
  ASSERT_TRUE(planned);
  const auto sample = load_sample(*clips, *planned, load_options(job, plan));

  ASSERT_TRUE(sample) << sample.error().text();
  EXPECT_EQ(sample->targets.size(), 3U);
  EXPECT_EQ(sample->poses.size(), 3U);
  EXPECT_EQ(sample->targets[0].width, 32);
}

TEST(FromJob, NamesWhatIsMissing) {
  const test::TempFolder folder;
  ClipRecord clip;
  clip.id = "a";
  clip.video = "a.mp4";
  clip.split = "val_a";
  clip.num_frames = clip.width = clip.height = 9;
  ASSERT_TRUE(write_index(folder / "index.jsonl", {clip}));
  config::DataJob job;

  const auto no_source = open_clips(job);
  job.index = folder / "index.jsonl";
  const auto no_split = open_clips(job);
  job.splits = {};
  const auto all = open_clips(job);

  ASSERT_FALSE(no_source);
  EXPECT_EQ(no_source.error().code, ErrorCode::InvalidConfig);
  ASSERT_FALSE(no_split);
  EXPECT_THAT(no_split.error().message, HasSubstr("data.splits: train"));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->clips.size(), 1U);
}

TEST(FromJob, TheReferenceTransposesStage1) {
  config::DataJob job;
  job.width = 512;
  job.height = 784;
  job.crop_mode = CropMode::PerStream;

  EXPECT_EQ(plan_options(job, 1, 0).width, 784);
  EXPECT_EQ(plan_options(job, 1, 0).num_frames, 1);
  EXPECT_EQ(plan_options(job, 2, 0).width, 512);
  job.crop_mode = CropMode::Shared;
  EXPECT_EQ(plan_options(job, 1, 0).width, 512);
}

// A training went on without the clips that this process could not open.
TEST_F(MetaListTest, TooManyOpenFilesLeaveNoClipOut) {
  // A tail of zeros, so that the last picture is looked at while the file is open.
  std::ofstream(folder_ / "clip-0.mp4", std::ios::binary | std::ios::app) << std::string(4096, '\0');
  ASSERT_EQ(index_meta_lists(lists_, 1)->clips.size(), 2U);
  const test::DescriptorLimit limit(1);

  const auto index = index_meta_lists(lists_, 1);

  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code, ErrorCode::Exhausted) << index.error().text();
}

}  // namespace
}  // namespace zt::data
