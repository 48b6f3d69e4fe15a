// SPDX-License-Identifier: Apache-2.0
#include "data/pose/extract_poses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>

#include "base/files/files.hpp"
#include "data/sample/frame_source.hpp"
#include "image/file.hpp"
#include "media/video_info.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/closed_folder.hpp"
#include "support/descriptor_limit.hpp"
#include "support/folder_contents.hpp"
#include "support/huge_videos.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Sees one person standing still in every picture.
class StandingEstimator final : public FrameEstimator {
 public:
  Result<std::vector<TrackedPerson>> next(const image::Image&) override {
    TrackedPerson seen;
    seen.person.at(BodyPart::Neck) = {0.5F, 0.2F, 0.9F};
    seen.person.at(BodyPart::RHip) = {0.5F, 0.8F, 0.9F};
    return std::vector{seen};
  }
  std::string name() const override { return "standing"; }
};

class ExtractPoses : public testing::Test {
 protected:
  void add_video(const std::string& name, int num_frames = 6) {
    ASSERT_TRUE(files::make_folders((root() / name).parent_path()));
    ASSERT_TRUE(media::write_video(root() / name, test::drifting_clip(48, 32, num_frames),
                                   {.width = 48, .height = 32}));
  }
  fs::path root() const { return folder_ / "films"; }
  config::PoseJob job() const {
    config::PoseJob job;
    job.inputs = {root().string()};
    job.threads = 2;
    return job;
  }
  FrameEstimatorFactory factory() {
    return [this](int) -> Result<std::unique_ptr<FrameEstimator>> {
      made_ += 1;
      return std::make_unique<StandingEstimator>();
    };
  }
  test::TempFolder folder_;
  std::atomic<int> made_ = 0;
};

TEST_F(ExtractPoses, WritesKeypointsAndPreviewsInIngestsLayout) {
  add_video("a.mp4", 6);
  add_video("deep/b.avi", 7);

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->videos, 2);
  EXPECT_EQ(report->frames, 13);
  EXPECT_EQ(report->frames_with_person, 13);
  const auto clip = read_keypoints(folder_ / "films_keypoints/deep/b.jsonl");
  ASSERT_TRUE(clip) << clip.error().text();
  EXPECT_EQ(clip->frames.size(), 7U);
  EXPECT_EQ(clip->source, "standing");
  const auto preview = media::probe(folder_ / "films_dwpose/deep/b.mp4", {.count_frames = true});
  ASSERT_TRUE(preview) << preview.error().text();
  EXPECT_EQ(preview->num_frames, 7);
  EXPECT_EQ(preview->width, 48);
}

TEST_F(ExtractPoses, KeepsWhatIsCompleteAndMakesWhatIsMissing) {
  add_video("a.mp4");
  add_video("b.mp4");
  ASSERT_TRUE(extract_poses(job(), factory()));
  fs::remove(folder_ / "films_keypoints/b.jsonl");
  fs::remove(folder_ / "films_dwpose/a.mp4");
  made_ = 0;

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report);
  EXPECT_EQ(report->kept, 1);
  EXPECT_EQ(made_, 1) << "only b is looked at again";
  EXPECT_TRUE(fs::exists(folder_ / "films_dwpose/a.mp4"));
}

// They were kept, and the option did nothing.
TEST_F(ExtractPoses, MakesKeypointsOfOtherSettingsAgain) {
  add_video("a.mp4");
  ASSERT_TRUE(extract_poses(job(), factory()));
  auto other = job();
  other.smoothing = 0;
  made_ = 0;

  const auto report = extract_poses(other, factory());

  ASSERT_TRUE(report);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(report->kept, 0);
  EXPECT_EQ(report->made_again, 1);
  EXPECT_EQ(extract_poses(other, factory())->kept, 1);
}

TEST_F(ExtractPoses, MakesKeypointsOfAVideoThatWasReplacedAgain) {
  add_video("a.mp4", 6);
  ASSERT_TRUE(extract_poses(job(), factory()));
  add_video("a.mp4", 8);

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report);
  EXPECT_EQ(report->made_again, 1);
  EXPECT_EQ(read_keypoints(folder_ / "films_keypoints/a.jsonl")->frames.size(), 8U);
  EXPECT_EQ(media::probe(folder_ / "films_dwpose/a.mp4", {.count_frames = true})->num_frames, 8);
}

TEST_F(ExtractPoses, KeepsKeypointsThatSomebodyElseMade) {
  add_video("a.mp4");
  KeypointClip clip{.width = 48, .height = 32, .source = "by hand", .frames = std::vector<Keypoints>(6)};
  ASSERT_TRUE(files::make_folders(folder_ / "films_keypoints"));
  ASSERT_TRUE(write_keypoints(folder_ / "films_keypoints/a.jsonl", clip));

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report);
  EXPECT_EQ(report->kept, 1);
  EXPECT_EQ(made_, 0);
}

TEST_F(ExtractPoses, SaysThatItsThreadsDoNotFitIntoMemoryBeforeItStarts) {
  test::make_huge_videos(root(), 512);
  auto wide = job();
  wide.threads = 512;

  const auto report = extract_poses(wide, factory());

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(report.error().message,
              AllOf(HasSubstr("8192 x 8192 on 512 threads"), HasSubstr("the pose networks on 512 threads")));
  EXPECT_EQ(made_, 0);
}

TEST_F(ExtractPoses, NeedsRoomForOutdatedKeypointsAsForMissingOnes) {
  test::make_huge_videos(root(), 512);
  auto wide = job();
  wide.threads = 512;
  KeypointClip outdated{.width = 48, .height = 32, .source = "us", .frames = std::vector<Keypoints>(1)};
  outdated.made_from = "another video";
  const auto plan = plan_poses(wide);
  ASSERT_TRUE(plan);
  ASSERT_TRUE(files::make_folders(folder_ / "films_keypoints"));
  for (const PoseTask& task : *plan) ASSERT_TRUE(write_keypoints(task.keypoints, outdated));

  const auto report = extract_poses(wide, factory());

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Exhausted);
}

using ExtractPosesDeathTest = ExtractPoses;

TEST_F(ExtractPosesDeathTest, KilledAtAnyMomentItIsRepeatedToTheSameFiles) {
  add_video("a.mp4", 3);
  add_video("deep/b.mp4", 2);
  auto untouched = job(), killed = job();
  untouched.threads = killed.threads = 1;
  untouched.output_dir = (folder_ / "untouched").string();
  killed.output_dir = (folder_ / "killed").string();
  ASSERT_TRUE(extract_poses(untouched, factory()));
  const auto die_at = [&](int moment) {
    (void)extract_poses(killed, factory(), [&](const PoseProgress&) {
      if (--moment == 0) ::raise(SIGKILL);
    });
  };

  // Its three pictures, the end of a; then that it is kept comes first, two pictures, the end of b.
  for (const int moment : {1, 2, 3, 4, 2, 3, 4})
    EXPECT_EXIT(die_at(moment), testing::KilledBySignal(SIGKILL), "") << moment;
  // And between key-points and preview, of which a part is left.
  fs::rename(folder_ / "killed/films_dwpose/a.mp4",
             folder_ / "killed/films_dwpose/a.mp4.zt-tmp.0123456789abcdef");
  const auto report = extract_poses(killed, factory());

  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->kept, 2);
  EXPECT_EQ(test::contents_of(folder_ / "killed"), test::contents_of(folder_ / "untouched"));
}

TEST_F(ExtractPoses, MakesDamagedKeypointsAgain) {
  add_video("a.mp4");
  ASSERT_TRUE(files::make_folders(folder_ / "films_keypoints"));
  std::ofstream(folder_ / "films_keypoints/a.jsonl") << "{\"format\":";

  ASSERT_TRUE(extract_poses(job(), factory()));

  EXPECT_TRUE(read_keypoints(folder_ / "films_keypoints/a.jsonl"));
}

// Stands still to the left until a shot begins, and to the right from then on.
class JumpingEstimator final : public FrameEstimator {
 public:
  Result<std::vector<TrackedPerson>> next(const image::Image&) override {
    TrackedPerson seen;
    seen.person.at(BodyPart::Neck) = {x_, 0.2F, 0.9F};
    seen.person.at(BodyPart::RHip) = {x_, 0.8F, 0.9F};
    return std::vector{seen};
  }
  void begin_shot() override { x_ = 0.75F; }
  std::string name() const override { return "jumping"; }

 private:
  float x_ = 0.25F;
};

TEST_F(ExtractPoses, DoesNotSmoothAcrossTheCutsThatItFinds) {
  auto pictures = test::drifting_clip(48, 32, 8);
  for (int i = 0; i < 8; ++i) pictures.push_back(image::filled(48, 32, {200, 30, 20}));
  ASSERT_TRUE(files::make_folders(root()));
  ASSERT_TRUE(media::write_video(root() / "a.mp4", pictures, {.width = 48, .height = 32}));

  const auto report = extract_poses(job(), [](int) -> Result<std::unique_ptr<FrameEstimator>> {
    return std::make_unique<JumpingEstimator>();
  });

  ASSERT_TRUE(report) << report.error().text();
  const auto clip = read_keypoints(folder_ / "films_keypoints/a.jsonl");
  ASSERT_TRUE(clip);
  for (size_t f = 0; f < 16; ++f)
    EXPECT_FLOAT_EQ(clip->frames.at(f).people.at(0).at(BodyPart::Neck).x, f < 8 ? 0.25F : 0.75F) << f;
}

TEST_F(ExtractPoses, NamesABadVideoAndGoesOn) {
  add_video("good.mp4");
  std::ofstream(root() / "bad.mp4") << "no video";

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report);
  ASSERT_EQ(report->failures.size(), 1U);
  EXPECT_EQ(report->failures[0].video, root() / "bad.mp4");
  EXPECT_TRUE(fs::exists(folder_ / "films_keypoints/good.jsonl"));
}

// It was said after the search, whose result was lost.
TEST_F(ExtractPoses, SaysBeforeTheSearchThatAResultsNameIsTooLong) {
  constexpr size_t kMostBytes = 255;
  const std::string name = std::string(kMostBytes - 4, 'n') + ".mp4";
  add_video("a.mp4");
  fs::rename(root() / "a.mp4", root() / name);

  const auto report = extract_poses(job(), factory());

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(report.error().message, AllOf(HasSubstr("too long"), HasSubstr("rename it")));
  EXPECT_EQ(made_, 0);
}

// They were searched as if they were whole, and ingest refused them afterwards.
TEST_F(ExtractPoses, RefusesVideosThatEndEarlyOrAreDamaged) {
  add_video("good.mp4");
  add_video("cut.mp4", 20);
  add_video("damaged.mp4", 200);
  fs::resize_file(root() / "cut.mp4", fs::file_size(root() / "cut.mp4") * 6 / 10);
  std::fstream damaged(root() / "damaged.mp4", std::ios::in | std::ios::out | std::ios::binary);
  damaged.seekp(static_cast<std::streamoff>(fs::file_size(root() / "damaged.mp4") * 9 / 10));
  damaged << std::string(200, '\xff');
  damaged.close();
  auto strict = job();
  strict.strict = true;

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report);
  ASSERT_EQ(report->failures.size(), 2U);
  EXPECT_THAT(report->failures[0].error.message, HasSubstr("cut.mp4 ends early"));
  EXPECT_THAT(report->failures[1].error.message, HasSubstr("frames of " + (root() / "damaged.mp4").string()));
  EXPECT_FALSE(fs::exists(folder_ / "films_keypoints/cut.jsonl"));
  EXPECT_FALSE(fs::exists(folder_ / "films_keypoints/damaged.jsonl"));
  const auto refused = extract_poses(strict, factory());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Corrupt);
}

// The kernel's ELOOP came out of the walk as an exception, and ended the program as a bug of ours.
TEST_F(ExtractPoses, NamesALinkThatLeadsRoundInACircleAndGoesOn) {
  add_video("a.mp4");
  fs::create_symlink("loop.mp4", root() / "loop.mp4");

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->videos, 2);
  ASSERT_EQ(report->failures.size(), 1U);
  EXPECT_EQ(report->failures[0].video, root() / "loop.mp4");
}

TEST_F(ExtractPoses, FollowsLinksToFoldersAsIngestDoes) {
  add_video("a.mp4");
  ASSERT_TRUE(files::make_folders(folder_ / "far"));
  fs::rename(root() / "a.mp4", folder_ / "far/b.mp4");
  fs::create_directory_symlink(folder_ / "far", root() / "near");

  const auto report = extract_poses(job(), factory());

  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->videos, 1);
  EXPECT_TRUE(fs::exists(folder_ / "films_keypoints/near/b.jsonl"));
}

TEST_F(ExtractPoses, NamesAFolderThatCannotBeListedAndGoesOn) {
  add_video("a.mp4");
  fs::create_directory(root() / "closed");
  const test::ClosedFolder closed(folder_, root() / "closed");
  if (!closed.is_closed()) GTEST_SKIP() << "nothing can be closed to this process";

  const auto plan = plan_poses(job());

  ASSERT_TRUE(plan) << plan.error().text();
  ASSERT_EQ(plan->size(), 2U);
  EXPECT_EQ(plan->front().video, root() / "closed");
  const auto frames = FrameSource::open(plan->front().video);
  ASSERT_FALSE(frames);
  EXPECT_EQ(frames.error().code, ErrorCode::Permission);
  EXPECT_THAT(frames.error().message, HasSubstr("cannot list folder")) << "it may hold anything";
}

TEST_F(ExtractPoses, FailsWhenEveryVideoFailsAndNamesThemAll) {
  ASSERT_TRUE(files::make_folders(root()));
  std::ofstream(root() / "bad.mp4") << "no video";
  std::ofstream(root() / "worse.mp4") << "no video either";

  const auto report = extract_poses(job(), factory());

  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message,
              AllOf(HasSubstr("2 of 2 videos"), HasSubstr((root() / "bad.mp4").string()),
                    HasSubstr((root() / "worse.mp4").string())));
}

TEST_F(ExtractPoses, StrictFailsWithTheFirstBadVideo) {
  add_video("good.mp4");
  std::ofstream(root() / "bad.mp4") << "no video";
  auto strict = job();
  strict.strict = true;

  const auto report = extract_poses(strict, factory());

  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message,
              HasSubstr("1 of 2 videos can't be used:\n  " + (root() / "bad.mp4").string()));
}

TEST_F(ExtractPoses, ReportsEveryPictureAndTheEnd) {
  add_video("a.mp4", 6);
  PoseProgress last;
  int calls = 0;

  ASSERT_TRUE(extract_poses(job(), factory(), [&](const PoseProgress& now) {
    last = now;
    ++calls;
  }));

  EXPECT_EQ(calls, 7);
  EXPECT_EQ(last.frames_done, 6);
  EXPECT_EQ(last.videos_done, 1);
  EXPECT_EQ(last.videos, 1);
}

TEST_F(ExtractPoses, PlansASingleVideoBesideItself) {
  add_video("a.mp4");
  auto single = job();
  single.inputs = {(root() / "a.mp4").string()};

  const auto plan = plan_poses(single);

  ASSERT_TRUE(plan);
  EXPECT_THAT(*plan,
              ElementsAre(PoseTask{root() / "a.mp4", root() / "a_keypoints.jsonl", root() / "a_dwpose.mp4"}));
}

TEST_F(ExtractPoses, PlansAFolderOfPicturesAsOneClipInTheOutputFolder) {
  ASSERT_TRUE(files::make_folders(root()));
  ASSERT_TRUE(image::write_png(root() / "0001.png", image::filled(8, 8, image::kWhite)));
  auto elsewhere = job();
  elsewhere.inputs = {root().string() + "/"};
  elsewhere.output_dir = "out";

  const auto plan = plan_poses(elsewhere);

  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_THAT(*plan, ElementsAre(PoseTask{root(), "out/films_keypoints.jsonl", "out/films_dwpose.mp4"}));
}

// People were looked for in drawings of people.
TEST_F(ExtractPoses, PassesOverPoseVideosOfTheFilmsBesideThem) {
  for (const char* name : {"walk.mp4", "walk_kps.mp4", "run.mov", "run_dwpose.mp4", "lost_kps.mp4"})
    add_video(name, 1);

  const auto plan = plan_poses(job());

  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->size(), 3U);
  EXPECT_EQ(plan->at(0).video, root() / "lost_kps.mp4");
  EXPECT_EQ(plan->at(1).video, root() / "run.mov");
  EXPECT_EQ(plan->at(2).video, root() / "walk.mp4");
}

TEST_F(ExtractPoses, PassesOverWhatAnEarlierCallLeftBesideAFolderBelow) {
  add_video("set/a.mp4");
  auto below = job();
  below.inputs = {(root() / "set").string()};
  ASSERT_TRUE(extract_poses(below, factory()));
  ASSERT_TRUE(fs::exists(root() / "set_dwpose/a.mp4"));

  const auto plan = plan_poses(job());

  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->size(), 1U);
  EXPECT_EQ(plan->front().video, root() / "set/a.mp4");
}

// Its results went to the hidden folders ._keypoints and ._dwpose.
TEST_F(ExtractPoses, AFolderThatIsCalledByADotHasItsResultsBesideIt) {
  add_video("a.mp4");
  auto dotted = job();
  dotted.inputs = {fs::proximate(root()).string() + "/."};

  const auto plan = plan_poses(dotted);

  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->size(), 1U);
  EXPECT_EQ(fs::weakly_canonical(plan->front().keypoints),
            fs::weakly_canonical(folder_ / "films_keypoints/a.jsonl"));
}

TEST_F(ExtractPoses, RefusesInputsThatShareAResult) {
  add_video("a.mp4");
  add_video("a.mov");

  const auto plan = plan_poses(job());

  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::InvalidArgument);
}

TEST_F(ExtractPoses, PassesOverHiddenFilesAndSaysWhenNothingIsLeft) {
  add_video(".trash/a.mp4");

  const auto plan = plan_poses(job());

  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::NotFound);
}

TEST(BlazePoseOptionsOfJob, FollowsMorePeopleThanAreKept) {
  config::PoseJob job;
  EXPECT_EQ(blazepose_options(job).tracking.max_tracks, 4);
  EXPECT_FALSE(blazepose_options(job).tracking.search_small);

  job.max_people = 2;
  EXPECT_EQ(blazepose_options(job).tracking.max_tracks, 5);
  EXPECT_TRUE(blazepose_options(job).tracking.search_small);
}

TEST_F(ExtractPoses, TooManyOpenFilesAreNoFaultOfTheVideos) {
  for (const char* name : {"a.mp4", "b.mp4", "c.mp4"}) add_video(name);
  auto one_at_a_time = job();
  one_at_a_time.threads = 1;
  one_at_a_time.preview = false;
  const test::DescriptorLimit limit(0);

  const auto report = extract_poses(one_at_a_time, factory());

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Exhausted) << report.error().text();
}

}  // namespace
}  // namespace zt::data
