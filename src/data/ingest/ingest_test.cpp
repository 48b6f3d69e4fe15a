// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/ingest.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <set>

#include "base/files/files.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/pose/extract_poses.hpp"
#include "data/puppet/synth.hpp"
#include "support/huge_videos.hpp"
#include "support/ingest_fixture.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using test::drifting_clip;
using ::testing::HasSubstr;

TEST_F(IngestTest, WritesWhatAPairHolds) {
  write_pair("dance/one.mp4", 12);

  const IngestReport report = run();

  EXPECT_EQ(report.found, 1);
  EXPECT_EQ(report.with_pose, 1);
  ASSERT_EQ(report.clips, 1);
  const ClipRecord clip = clips().at(0);
  EXPECT_EQ(clip.id, "dance-one");
  EXPECT_EQ(clip.video, "../set/dance/one.mp4");
  EXPECT_EQ(clip.pose_video, "../set_dwpose/dance/one.mp4");
  EXPECT_EQ(clip.split, "train");
  EXPECT_EQ(clip.num_frames, 12);
  EXPECT_EQ(clip.width, 64);
  EXPECT_EQ(clip.height, 48);
  EXPECT_DOUBLE_EQ(clip.fps(), 25);
  EXPECT_FALSE(clip.content.empty());
  // The box of what is drawn in the pose video is that of the puppet's joints.
  double left = 1, bottom = 0;
  for (int f = 0; f < 12; ++f) {
    const auto box = bounding_box(Puppet({}, 1, 1).keypoints(f).people[0]);
    left = std::min(left, box[0]);
    bottom = std::max(bottom, box[3]);
  }
  EXPECT_NEAR(clip.person_box[0], left, 0.06);
  EXPECT_NEAR(clip.person_box[3], bottom, 0.06);
}

TEST_F(IngestTest, KeepsGoodClipsBesideBadOnes) {
  write_pair("good.mp4");
  write_pair("bad.mp4");
  fs::resize_file(path("set/bad.mp4"), 0);

  const IngestReport report = run();

  EXPECT_EQ(report.found, 2);
  EXPECT_EQ(report.opened, 1);
  EXPECT_EQ(report.clips, 1);
  EXPECT_THAT(report.text(), HasSubstr("empty-file"));
  EXPECT_THAT(report.json(), HasSubstr(R"("found":2,"opened":1,)"));
  EXPECT_THAT(report.json(), HasSubstr(R"("reason":"empty-file")"));
}

TEST_F(IngestTest, TellsWhatOpensFromWhatDecodes) {
  write_pair("good.mp4");
  write_pair("short.mp4", 20);
  fs::resize_file(path("set/short.mp4"), fs::file_size(path("set/short.mp4")) * 6 / 10);

  const IngestReport report = run();

  EXPECT_EQ(report.opened, 2);
  EXPECT_EQ(report.decoded, 1);
}

TEST_F(IngestTest, StrictMakesAnyRejectAnError) {
  write_pair("good.mp4");
  write_pair("short.mp4", 3);
  job_.strict = true;

  const auto report = ingest(job_);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(report.error().message, HasSubstr("too-short"));
}

TEST_F(IngestTest, StrictFailsOnABadEntryBeforeAnyVideoIsLookedAt) {
  write_pair("good.mp4");
  std::ofstream(path("list.csv")) << "video,pose\nset/good.mp4,set_dwpose/good.mp4\n,x\n";
  job_.input = path("list.csv").string();
  job_.strict = true;
  int64_t looked_at = 0;

  const auto report = ingest(job_, {}, [&](int64_t, int64_t, const std::string&) { ++looked_at; });

  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("list.csv:3: bad-entry"));
  EXPECT_EQ(looked_at, 0);
}

TEST_F(IngestTest, AnInputWithoutAUsableClipIsAnErrorWithTheReasons) {
  write_pair("short.mp4", 3);

  const auto report = ingest(job_);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(report.error().message, HasSubstr("too-short"));
}

TEST_F(IngestTest, AMissingInputIsAnError) {
  job_.input = path("nowhere").string();

  const auto report = ingest(job_);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::NotFound);
}

TEST_F(IngestTest, ASecondCallLooksOnlyAtWhatChanged) {
  write_pair("a.mp4");
  write_pair("b.mp4");
  write_pair("c.mp4", 3);
  run();
  const auto before = clips();
  write_pair("b.mp4", 11);

  const IngestReport report = run();

  EXPECT_EQ(report.unchanged, 2);
  EXPECT_EQ(report.clips, 2);
  EXPECT_EQ(reason(report.rejects, "c.mp4"), "too-short");
  EXPECT_EQ(clips().at(0), before.at(0));
  EXPECT_EQ(clips().at(1).num_frames, 11);
}

TEST_F(IngestTest, ASecondOutputNamesTheSameData) {
  write_pair("a.mp4");
  write_pair("b.mp4");
  run();
  const auto digest = [&] { return read_index(ingest_folder(job_) / "index.jsonl")->digest(); };
  const std::string before = digest();
  job_.output = path("elsewhere/deep").string();
  for (const char* name : {"a.mp4", "b.mp4"})
    fs::last_write_time(path("set") / name, fs::file_time_type::clock::now());
  run();
  EXPECT_EQ(digest(), before);

  write_pair("b.mp4", 11);
  run();
  EXPECT_NE(digest(), before);
}

// Neither the folder's own time nor the picture's size tells.
TEST_F(IngestTest, ASecondCallLooksAtAPictureThatWasReplacedInPlace) {
  write_pictures("one/images", drifting_clip(64, 48, 10));
  write_pictures("one/dwpose", poses(10));
  run();
  ASSERT_EQ(run().unchanged, 1);
  const fs::path picture = path("one/images/5.png");
  fs::last_write_time(picture, fs::last_write_time(picture) + std::chrono::seconds(1));

  EXPECT_EQ(run().unchanged, 0);
}

TEST_F(IngestTest, ATornJournalLosesOnlyItsLastLine) {
  write_pair("a.mp4");
  write_pair("b.mp4");
  run();
  const auto before = clips();
  const fs::path journal = path(".zoetrope/journal.jsonl");
  fs::resize_file(journal, fs::file_size(journal) - 20);

  EXPECT_EQ(run().unchanged, 1);
  EXPECT_EQ(run().unchanged, 2);
  EXPECT_EQ(clips(), before);
}

TEST_F(IngestTest, OtherSettingsStartAfresh) {
  write_pair("a.mp4");
  run();
  job_.min_frames = 4;

  EXPECT_EQ(run().unchanged, 0);
}

using IngestDeathTest = IngestTest;

TEST_F(IngestDeathTest, KilledWhileItLooksForPeopleItIsRepeatedToTheSameFiles) {
  for (const char* name : {"a.mp4", "b.mp4", "c.mp4"}) write_video(name, drifting_clip(64, 48, 10));
  job_.min_pose_share = 0, job_.threads = 1;
  int left = 0;  // calls of the estimator until it dies; 0 = it lives
  const PoseEstimator estimator = [&](const PoseRequest& request) -> Result<KeypointClip> {
    if (--left == 0) ::raise(SIGKILL);
    KeypointClip nobody;
    nobody.width = 64, nobody.height = 48, nobody.fps_num = 25, nobody.source = "test";
    nobody.frames.resize(static_cast<size_t>(request.num_frames));
    return nobody;
  };
  job_.output = path(".untouched").string();
  run(estimator);

  job_.output = path(".killed").string();
  for (const int calls : {1, 2, 2}) {
    left = calls;
    EXPECT_EXIT((void)ingest(job_, estimator), testing::KilledBySignal(SIGKILL), "") << calls;
  }
  left = 0;
  const IngestReport report = run(estimator);

  EXPECT_EQ(report.unchanged, 2);
  for (const char* name : {"index.jsonl", "keypoints/a.jsonl", "keypoints/b.jsonl", "keypoints/c.jsonl"})
    EXPECT_EQ(*files::read(path(".killed") / name), *files::read(path(".untouched") / name)) << name;
}

TEST_F(IngestTest, OtherWaysToFindPeopleStartAfreshWhereTheyAreLookedFor) {
  write_video("film.mov", drifting_clip(64, 48, 10));
  job_.min_pose_share = 0;
  const PoseEstimator estimator = [](const PoseRequest& request) -> Result<KeypointClip> {
    KeypointClip nobody;
    nobody.width = 64, nobody.height = 48, nobody.fps_num = 25, nobody.source = "test";
    nobody.frames.resize(static_cast<size_t>(request.num_frames));
    return nobody;
  };
  run(estimator);
  EXPECT_EQ(run(estimator).unchanged, 1);
  job_.pose.smoothing = 0;
  EXPECT_EQ(run(estimator).unchanged, 0);

  job_.extract_pose = false;
  run();
  job_.pose.smoothing = 1;
  EXPECT_EQ(run().unchanged, 1) << "nobody looks";
}

TEST_F(IngestTest, FindsShotsInFoldersOfPicturesThatAreNotVerified) {
  auto pictures = drifting_clip(64, 48, 10);
  for (int i = 0; i < 10; ++i) pictures.push_back(image::filled(64, 48, {200, 30, 20}));
  write_pictures("one/images", pictures);
  write_pictures("one/dwpose", poses(20));
  job_.verify_frames = false;

  const IngestReport report = run();

  EXPECT_EQ(report.clips, 2);
  EXPECT_EQ(report.decoded, 1);
}

TEST_F(IngestTest, CutsAtShotChangesAndAtTheLongestLength) {
  auto pictures = drifting_clip(64, 48, 12);
  for (int i = 0; i < 20; ++i)
    pictures.push_back(image::filled(64, 48, {200, 30, static_cast<uint8_t>(20 + i)}));
  write_video("set/two.mp4", pictures);
  write_pose("two.mp4", 32);
  job_.max_frames = 10;
  job_.min_frames = 6;

  const IngestReport report = run();

  const auto found = clips();
  ASSERT_EQ(found.size(), 4U);
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const ClipRecord& clip : found) ranges.emplace_back(clip.first_frame, clip.num_frames);
  EXPECT_EQ(ranges, (std::vector<std::pair<int64_t, int64_t>>{{0, 6}, {6, 6}, {12, 10}, {22, 10}}));
  EXPECT_EQ(found[2].id, "two-002");
  EXPECT_EQ(report.frames, 32);
}

TEST_F(IngestTest, AShotAndAVideoThatAreNamedAlikeGetDifferentIds) {
  write_video("set/two.mp4", drifting_clip(64, 48, 20));
  write_pose("two.mp4", 20);
  write_video("set/two-001.mp4", drifting_clip(64, 48, 10));
  write_pose("two-001.mp4", 10);
  job_.max_frames = 10;

  run();

  std::set<std::string> ids;
  for (const ClipRecord& clip : clips()) ids.insert(clip.id);  // an index with an id twice can't be read
  EXPECT_EQ(ids, (std::set<std::string>{"two-000", "two-001", "two-001-b"}));
}

TEST_F(IngestTest, FootageNeedsAPoseExtractor) {
  write_video("film.mov", drifting_clip(64, 48, 10));

  const auto report = ingest(job_);

  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("missing-pose"));
}

TEST_F(IngestTest, FootageMayStayWithoutPoses) {
  write_video("film.mov", drifting_clip(64, 48, 10));
  job_.extract_pose = false;

  const IngestReport report = run();

  EXPECT_EQ(report.clips, 1);
  EXPECT_EQ(report.with_pose, 0);
}

TEST_F(IngestTest, StoresWhatThePoseExtractorFinds) {
  write_video("film.mov", drifting_clip(64, 48, 10));
  KeypointClip made;
  made.width = 64, made.height = 48, made.fps_num = 25, made.source = "test";
  for (int f = 0; f < 10; ++f) made.frames.push_back(Puppet({}, 1, 1).keypoints(f));

  const IngestReport report = run([&](const PoseRequest& request) -> Result<KeypointClip> {
    EXPECT_EQ(request.num_frames, 10);
    return made;
  });

  EXPECT_EQ(report.with_pose, 1);
  const ClipRecord clip = clips().at(0);
  EXPECT_EQ(clip.keypoints, "keypoints/film.jsonl");
  EXPECT_EQ(clip.num_people, 1);
  const auto stored = read_keypoints(path(".zoetrope/" + clip.keypoints));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->frames.size(), 10U);
}

TEST_F(IngestTest, RejectsByWhoIsSeen) {
  write_video("crowd.mov", drifting_clip(64, 48, 10));
  write_video("empty.mov", drifting_clip(64, 48, 10));
  write_video("good.mov", drifting_clip(64, 48, 10));
  job_.max_people = 1;

  const IngestReport report = run([](const PoseRequest& request) -> Result<KeypointClip> {
    const std::string name = request.video.stem().string();
    const Keypoints one = Puppet({}, 1, 1).keypoints(0);
    KeypointClip clip{.width = 64, .height = 48, .fps_num = 25, .source = "test", .frames = {}};
    clip.frames.resize(10);
    for (size_t f = 0; f < (name == "empty" ? 5 : 10); ++f) clip.frames[f] = one;
    if (name == "crowd") clip.frames[3].people.push_back(one.people[0]);
    return clip;
  });

  EXPECT_EQ(reason(report.rejects, "crowd"), "too-many-people");
  EXPECT_EQ(reason(report.rejects, "empty"), "no-person");
  EXPECT_EQ(report.clips, 1);
}

// Sees two people everywhere, the second one smaller.
class PairEstimator final : public FrameEstimator {
 public:
  Result<std::vector<TrackedPerson>> next(const image::Image&) override {
    std::vector<TrackedPerson> pair(2);
    for (size_t i = 0; i < 2; ++i) {
      pair[i].track = static_cast<int64_t>(i);
      pair[i].person.at(BodyPart::Neck) = {i == 0 ? 0.3F : 0.7F, 0.2F, 0.9F};
      pair[i].person.at(BodyPart::RHip) = {i == 0 ? 0.5F : 0.75F, i == 0 ? 0.9F : 0.4F, 0.9F};
    }
    return pair;
  }
  std::string name() const override { return "pair"; }
};

// The extractor kept pose.max_people, one at default, and the limit could never be exceeded.
TEST_F(IngestTest, TheRealExtractorSeesOneMoreThanAreAllowed) {
  write_video("pair.mov", drifting_clip(64, 48, 10));
  const FrameEstimatorFactory factory = [](int) -> Result<std::unique_ptr<FrameEstimator>> {
    return std::make_unique<PairEstimator>();
  };
  const auto extractor = [&] { return clip_pose_estimator(factory, clip_pose_options(pose_search(job_))); };
  job_.max_people = 1;

  const auto refused = ingest(job_, extractor());
  job_.max_people = 2;
  const IngestReport report = run(extractor());

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("too-many-people"));
  EXPECT_EQ(report.clips, 1);
  EXPECT_EQ(clips().at(0).num_people, 2);
  const auto stored = read_keypoints(path(".zoetrope/keypoints/pair.jsonl"));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->frames[0].people.size(), 1U) << "as pose.max_people says";
}

// Two shots of 12 frames each.
std::vector<image::Image> two_shots() {
  auto pictures = drifting_clip(64, 48, 12);
  for (int i = 0; i < 12; ++i) pictures.push_back(image::filled(64, 48, {200, 30, 20}));
  return pictures;
}

KeypointClip standing(size_t first, size_t last, size_t num_frames) {
  KeypointClip clip{.width = 64, .height = 48, .fps_num = 25, .source = "test", .frames = {}};
  clip.frames.resize(num_frames);
  for (size_t f = first; f < last; ++f) clip.frames[f] = Puppet({}, 1, 1).keypoints(0);
  return clip;
}

TEST_F(IngestTest, TellsThePoseExtractorWhereShotsBegin) {
  write_video("film.mov", two_shots());
  std::vector<int64_t> cuts;

  run([&](const PoseRequest& request) -> Result<KeypointClip> {
    cuts = request.cuts;
    return standing(0, 24, 24);
  });

  EXPECT_EQ(cuts, std::vector<int64_t>{12});
}

// The whole film was rejected for the shot without anybody, or the empty shot was kept for the others.
TEST_F(IngestTest, JudgesEveryShotByItsOwnPeople) {
  write_video("film.mov", two_shots());

  const IngestReport report =
      run([](const PoseRequest&) -> Result<KeypointClip> { return standing(12, 24, 24); });

  ASSERT_EQ(report.clips, 1);
  const ClipRecord clip = clips().at(0);
  EXPECT_EQ(clip.id, "film-001");
  EXPECT_EQ(clip.person_box, bounding_box(Puppet({}, 1, 1).keypoints(0).people[0]));
  EXPECT_EQ(reason(report.rejects, "film.mov frames 0..11"), "no-person");
  EXPECT_EQ(report.with_pose, 1);
}

TEST_F(IngestTest, LooksForFiguresInAPoseVideoShotByShot) {
  write_video("set/film.mp4", two_shots());
  Pictures drawn = poses(24);
  for (size_t f = 0; f < 12; ++f) drawn[f] = image::Image(64, 48);
  write_video("set_dwpose/film.mp4", drawn);

  const IngestReport report = run();

  ASSERT_EQ(report.clips, 1);
  EXPECT_EQ(clips().at(0).first_frame, 12);
  EXPECT_EQ(reason(report.rejects, "film.mp4 frames 0..11"), "no-person");
}

TEST_F(IngestTest, SplitsByNameOnlyAndKeepsTheRestWhereItWas) {
  for (int i = 0; i < 12; ++i) write_pair("clip" + std::to_string(i) + ".mp4");
  job_.val_fraction = 0.4;
  run();
  const auto before = clips();
  write_pair("another.mp4");

  run();

  int64_t val = 0;
  for (const ClipRecord& clip : clips()) {
    const auto same =
        std::find_if(before.begin(), before.end(), [&](const auto& old) { return old.id == clip.id; });
    if (same != before.end()) {
      EXPECT_EQ(clip.split, same->split);
    }
    val += clip.split == "val" ? 1 : 0;
  }
  EXPECT_GT(val, 1);
  EXPECT_LT(val, 10);
}

TEST_F(IngestTest, SaysThatItsThreadsDoNotFitIntoMemoryBeforeItDecodes) {
  test::make_huge_videos(path(""), 512);
  job_.extract_pose = false;
  job_.threads = 512;
  int64_t looked_at = 0;

  const auto report = ingest(job_, {}, [&](int64_t, int64_t, const std::string&) { ++looked_at; });

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(report.error().message, HasSubstr("8192 x 8192 on 512 threads"));
  EXPECT_EQ(looked_at, 0);
}

TEST_F(IngestTest, TakesTheSyntheticSetWithAllItsParts) {
  config::SynthJob synthetic;
  synthetic.output = path("puppets").string();
  synthetic.num_train = 2;
  synthetic.num_val_a = synthetic.num_val_b = 0;
  synthetic.num_val_c = 1;
  synthetic.num_frames = 8;
  ASSERT_TRUE(synth(synthetic));
  fs::rename(path("puppets"), path("moved"));  // the paths in its lists are now wrong
  job_.input = path("moved").string();

  const IngestReport report = run();

  EXPECT_TRUE(report.rejects.empty()) << report.text();
  const auto found = clips();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[2].split, "val_c");
  EXPECT_EQ(found[2].character, 2);
  EXPECT_EQ(found[2].labels, "../clips_labels/val_c/000000.mp4");
  EXPECT_EQ(found[2].background, "../clips_background/val_c/000000.png");
  EXPECT_EQ(found[2].num_people, 1);
}

}  // namespace
}  // namespace zt::data
