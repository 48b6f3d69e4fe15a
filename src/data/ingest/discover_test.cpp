// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include "base/counter_rng.hpp"
#include "data/ingest/internal/candidate.hpp"
#include "support/closed_folder.hpp"
#include "support/ingest_fixture.hpp"
#include "support/pipes.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using config::IngestLayout;
using ingest_internal::Candidate;
using ingest_internal::Discovery;

class Discover : public IngestTest {
 protected:
  void touch(const std::string& name, const std::string& text = "") {
    fs::create_directories(path(name).parent_path());
    std::ofstream(path(name)) << text;
  }
  Discovery discover() {
    auto found = ingest_internal::discover(job_);
    if (!found) return ADD_FAILURE() << found.error().text(), Discovery();
    return *std::move(found);
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const Candidate& candidate : discover().candidates) names.push_back(candidate.name);
    return names;
  }
};
using Names = std::vector<std::string>;

TEST_F(Discover, FindsPairsBelowAFolder) {
  touch("set/a/1.mp4");
  touch("set/b.MOV");
  touch("set/notes.txt");
  touch("set_dwpose/a/1.mp4");
  touch("set_keypoints/a/1.jsonl");

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 2U);
  EXPECT_EQ(found.candidates[0].name, "a/1");
  EXPECT_EQ(found.candidates[0].pose, path("set_dwpose/a/1.mp4"));
  EXPECT_EQ(found.candidates[0].keypoints, path("set_keypoints/a/1.jsonl"));
  // Its pose is missing: it stays named, so that it can be told.
  EXPECT_EQ(found.candidates[1].pose, path("set_dwpose/b.MOV"));
}

// The kernel's ELOOP came out of the walk as an exception, and ended the program as a bug of ours.
TEST_F(Discover, KeepsLinksThatLeadNowhereToBeRejectsWithAName) {
  touch("1.mp4");
  fs::create_directory_symlink("nowhere", path("gone"));
  fs::create_symlink("loop.mp4", path("loop.mp4"));
  fs::create_symlink("absent.mp4", path("torn.mp4"));
  fs::create_directories(path("folder.mp4"));

  EXPECT_EQ(names(), (Names{"1", "loop", "torn"}));
}

TEST_F(Discover, PipesAndDevicesAreCountedAndRejectedWithAReason) {
  write_video("good.mp4", test::drifting_clip(64, 48, 10));
  job_.extract_pose = false;
  test::make_pipe(path("pipe.mp4"));
  fs::create_symlink("/dev/null", path("null.mp4"));
  fs::create_symlink("absent.mp4", path("torn.mp4"));

  const IngestReport report = run();

  EXPECT_EQ(report.found, 4);
  EXPECT_EQ(report.rejects.size(), 3U);
  EXPECT_EQ(reason(report.rejects, "pipe.mp4"), "unreadable");
  EXPECT_EQ(reason(report.rejects, "null.mp4"), "unreadable");
  EXPECT_EQ(reason(report.rejects, "torn.mp4"), "missing-file");
}

TEST_F(Discover, TakesTheRootOfPairsItself) {
  touch("set/1.mp4");
  touch("set_dwpose/1.mp4");
  job_.input = path("set").string() + "/";

  EXPECT_EQ(names(), Names{"1"});
}

// Its pose was taken for a film of its own, and it was ingested without.
TEST_F(Discover, FindsPairsAtAnyDepth) {
  touch("a/set/1.mp4");
  touch("a/set_dwpose/1.mp4");
  touch("b/deep/set/2.mov");
  touch("b/deep/set_keypoints/2.jsonl");
  touch("b/deep/set_dwpose/2.mp4");  // as `data pose` names it, of a film of any ending

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 2U);
  EXPECT_EQ(found.candidates[0].name, "a/set/1");
  EXPECT_EQ(found.candidates[0].pose, path("a/set_dwpose/1.mp4"));
  EXPECT_EQ(found.candidates[1].name, "b/deep/set/2");
  EXPECT_EQ(found.candidates[1].keypoints, path("b/deep/set_keypoints/2.jsonl"));
  EXPECT_TRUE(found.rejects.empty());
}

TEST_F(Discover, TakesTheRootOfPairsByADot) {
  touch("set/1.mp4");
  touch("set_dwpose/1.mp4");
  job_.input = path("set").string() + "/.";

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 1U);
  EXPECT_EQ(found.candidates[0].pose.filename(), "1.mp4");
}

TEST_F(Discover, NamesAPoseWithoutItsVideoInPairs) {
  touch("set/1.mp4");
  touch("set_dwpose/1.mp4");
  touch("set_dwpose/lost.mp4");

  const Discovery found = discover();

  EXPECT_EQ(found.candidates.size(), 1U);
  ASSERT_EQ(found.rejects.size(), 1U);
  EXPECT_EQ(found.rejects[0].what, path("set_dwpose/lost.mp4"));
  EXPECT_EQ(found.rejects[0].reason, "missing-video");
}

// A thousand films beside two folders of a few clips were in no line of the funnel.
TEST_F(Discover, NamesAndCountsWhatIsNoneOfThePairs) {
  write_pair("1.mp4");
  write_video("set_mask/1.mp4", test::drifting_clip(64, 48, 10));
  touch("b/2.mp4");
  touch("b/3.mp4");
  touch("c.mp4");
  touch("d/images/0.png");
  touch("d/dwpose/0.png");

  const IngestReport report = run();

  EXPECT_EQ(report.found, 5);
  EXPECT_EQ(report.clips, 1);
  Names named;
  for (const Finding& reject : report.rejects) named.push_back(reject.what);
  EXPECT_EQ(named, (Names{path("b/2.mp4"), path("b/3.mp4"), path("c.mp4"), path("d")}));
  EXPECT_EQ(report.reasons().at("not-in-layout"), 4);
  job_.strict = true;
  EXPECT_FALSE(ingest(job_));
  job_.layout = IngestLayout::Moore;
  EXPECT_TRUE(ingest(job_)) << "who names the layout leaves them out";
}

TEST_F(Discover, NamesWhatIsNoneOfChampsFolders) {
  touch("one/images/0.png");
  touch("one/dwpose/0.png");
  touch("one/rendered.mp4");  // the clip's own
  touch("two/1.mp4");

  const Discovery found = discover();

  EXPECT_EQ(found.candidates.size(), 1U);
  ASSERT_EQ(found.rejects.size(), 1U);
  EXPECT_EQ(found.rejects[0].what, path("two/1.mp4"));
  EXPECT_EQ(found.rejects[0].reason, "not-in-layout");
}

TEST_F(Discover, AsFootagePosesAreNoFilms) {
  job_.layout = IngestLayout::Footage;
  touch("a/set/1.mp4");
  touch("a/set_dwpose/1.mp4");
  touch("a/set_mask/1.mp4");
  touch("b/2.mp4");

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 2U);
  EXPECT_EQ(found.candidates[0].name, "a/set/1");
  EXPECT_EQ(found.candidates[0].pose, path("a/set_dwpose/1.mp4"));
  EXPECT_EQ(found.candidates[1].name, "b/2");
  EXPECT_TRUE(found.candidates[1].pose.empty());
}

TEST_F(Discover, PrefersMooresLists) {
  touch("set/1.mp4");
  touch("set_dwpose/1.mp4");
  touch("set_meta.json", R"([{"video_path": "set/1.mp4", "kps_path": "set_dwpose/1.mp4", "fps": 30}])");

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 1U);
  EXPECT_EQ(found.candidates[0].name, "set/1");
  EXPECT_EQ(found.candidates[0].pose, path("set_dwpose/1.mp4"));
}

// Everything stopped, beside however many good clips.
TEST_F(Discover, ADamagedListTakesNothingFromTheOthers) {
  touch("a_meta.json", R"([{"video_path": "1.mp4"}])");
  touch("b_meta.json", R"([{"video_path": "2.m)");
  touch("camera_meta.json", R"({"iso": 200})");

  const Discovery found = discover();

  EXPECT_EQ(found.candidates.size(), 1U);
  ASSERT_EQ(found.unread.size(), 2U);
  EXPECT_EQ(found.unread[0].what, path("b_meta.json"));
  EXPECT_EQ(found.unread[0].reason, "bad-list");
  EXPECT_EQ(found.unread[1].what, path("camera_meta.json"));
}

TEST_F(Discover, AFileThatIsNamedAsMooresListsLeavesFootageFootage) {
  touch("1.mp4");
  touch("camera_meta.json", R"({"iso": 200})");

  const Discovery found = discover();

  EXPECT_EQ(found.candidates.size(), 1U);
  EXPECT_EQ(found.unread.size(), 1U);
  job_.layout = IngestLayout::Moore;
  EXPECT_FALSE(ingest_internal::discover(job_));
}

TEST_F(Discover, FindsChampsFolders) {
  touch("x/one/images/0.png");
  touch("x/one/dwpose/0.png");
  touch("x/two/images/0.png");

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 2U);
  EXPECT_EQ(found.candidates[0].name, "x/one");
  // Its pose is missing: it stays named, so that it can be told.
  EXPECT_EQ(found.candidates[1].name, "x/two");
  EXPECT_EQ(found.candidates[1].pose, path("x/two/dwpose"));
}

TEST_F(Discover, FollowsLinksToFolders) {
  touch("far/1.mp4");
  touch("footage/2.mp4");
  fs::create_directory_symlink(path("far"), path("footage/a"));
  fs::create_directory_symlink(path("footage"), path("footage/round"));
  job_.input = path("footage").string();

  EXPECT_EQ(names(), (Names{"2", "a/1"}));
}

TEST_F(Discover, NamesFoldersThatCannotBeRead) {
  touch("1.mp4");
  touch("closed/2.mp4");
  const test::ClosedFolder closed(folder_, path("closed"));
  if (!closed.is_closed()) GTEST_SKIP() << "nothing can be closed to this process";

  const Discovery found = discover();

  EXPECT_EQ(found.candidates.size(), 1U);
  ASSERT_EQ(found.unread.size(), 1U);
  EXPECT_EQ(found.unread[0].what, path("closed"));
  EXPECT_EQ(found.unread[0].reason, "no-permission");
}

TEST_F(Discover, NamesAPoseWithoutItsVideo) {
  touch("walk.mov");
  touch("walk_kps.mp4");
  touch("lost_kps.mp4");

  const Discovery found = discover();

  EXPECT_EQ(found.candidates.size(), 1U);
  ASSERT_EQ(found.rejects.size(), 1U);
  EXPECT_EQ(found.rejects[0].what, path("lost_kps.mp4"));
  EXPECT_EQ(found.rejects[0].reason, "missing-video");
}

TEST_F(Discover, ElseTakesAllVideosAsFootage) {
  touch("b/2.webm");
  touch("1.avi");
  touch(".zoetrope/3.mp4");

  EXPECT_EQ(names(), (Names{"1", "b/2"}));
}

TEST_F(Discover, KeypointsDoWithoutAPoseVideo) {
  touch("set/1.mp4");
  touch("set_keypoints/1.jsonl");

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 1U);
  EXPECT_EQ(found.candidates[0].keypoints, path("set_keypoints/1.jsonl"));
  EXPECT_TRUE(found.candidates[0].pose.empty());
}

TEST_F(Discover, TakesPosesBesideFootage) {
  touch("film.mov");
  touch("film_dwpose.mp4");
  touch("film_keypoints.jsonl");
  touch("walk.mp4");
  touch("walk_kps.mp4");

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 2U);
  EXPECT_EQ(found.candidates[0].pose, path("film_dwpose.mp4"));
  EXPECT_EQ(found.candidates[0].keypoints, path("film_keypoints.jsonl"));
  EXPECT_EQ(found.candidates[1].pose, path("walk_kps.mp4"));
}

// Whatever the bytes: an error or candidates, never a crash. The seed is fixed.
TEST_F(Discover, SurvivesDamagedLists) {
  const std::string csv = "video,pose,split\n\"a\"\"b.mp4\",b.mp4,train\nc.mp4,,\n";
  const std::string json =
      R"([{"video_path": "a.mp4", "kps_path": "b.mp4", "character": 3}, {"video": "c"}])";
  CounterRng rng(1, 2, 3);
  for (int i = 0; i < 400; ++i) {
    std::string text = i % 2 == 0 ? csv : json;
    for (uint64_t n = 1 + rng.below(4); n > 0; --n)
      text[rng.below(text.size())] = static_cast<char>(rng.below(256));
    text.resize(rng.below(text.size()) + 1);
    const std::string name = i % 2 == 0 ? "list.csv" : i % 4 == 1 ? "list.json" : "list.jsonl";
    touch(name, text);

    (void)ingest_internal::read_list(path(name));
  }
}

TEST_F(Discover, ReadsCsvWithQuotes) {
  touch("a, b.mp4");
  touch("list.csv",
        "\xEF\xBB\xBFvideo,split,character\n\"a, b.mp4\",test,7\n\nlost.mp4,\nmissing.mp4,,\n,x,1\n");
  job_.input = path("list.csv").string();

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 2U);
  EXPECT_EQ(found.candidates[0].video, path("a, b.mp4"));
  EXPECT_EQ(found.candidates[0].split, "test");
  EXPECT_EQ(found.candidates[0].character, 7);
  EXPECT_EQ(found.candidates[1].where, "list.csv:5");
  ASSERT_EQ(found.rejects.size(), 2U);
  EXPECT_EQ(found.rejects[0], (Finding{"list.csv:4", "bad-entry", "2 fields, and the header has 3"}));
  EXPECT_EQ(found.rejects[1].what, "list.csv:6");
}

// It was found as "1.mp4", and the clip trained on itself as its pose.
TEST_F(Discover, ALostPoseIsNotFoundInTheVideosPlace) {
  touch("1.mp4");
  touch("list.csv", "video,pose\n1.mp4,poses/1.mp4\n");
  job_.input = path("list.csv").string();

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 1U);
  EXPECT_EQ(found.candidates[0].pose, path("poses/1.mp4"));
}

TEST_F(Discover, InAMovedSetAPoseLostAsManyPartsAsItsVideo) {
  touch("clips/1.mp4");
  touch("poses/1.mp4");
  touch("1.mp4");
  touch("list.csv", "video,pose,mask\n/old/set/clips/1.mp4,/old/set/poses/1.mp4,/old/set/masks/1.mp4\n");
  job_.input = path("list.csv").string();

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 1U);
  EXPECT_EQ(found.candidates[0].video, path("clips/1.mp4"));
  EXPECT_EQ(found.candidates[0].pose, path("poses/1.mp4"));
  EXPECT_EQ(found.candidates[0].mask, "/old/set/masks/1.mp4");
}

TEST_F(Discover, AVideoIsNotItsOwnPose) {
  touch("1.mp4");
  fs::create_symlink("1.mp4", path("same.mp4"));
  touch("list.csv", "video,pose,mask\n1.mp4,1.mp4,\n1.mp4,,same.mp4\n");
  job_.input = path("list.csv").string();

  const Discovery found = discover();

  EXPECT_TRUE(found.candidates.empty());
  ASSERT_EQ(found.rejects.size(), 2U);
  EXPECT_EQ(found.rejects[0], (Finding{"list.csv:2", "bad-entry", "its pose is the video itself"}));
  EXPECT_EQ(found.rejects[1], (Finding{"list.csv:3", "bad-entry", "its mask is the video itself"}));
}

TEST_F(Discover, TwoEntriesThatWouldBecomeOneVideoAreMissing) {
  touch("0.mp4");
  touch("list.csv", "video\na/0.mp4\nb/0.mp4\n");
  job_.input = path("list.csv").string();

  const Discovery found = discover();

  ASSERT_EQ(found.candidates.size(), 2U);
  EXPECT_EQ(found.candidates[0].video, path("a/0.mp4"));
  EXPECT_EQ(found.candidates[1].video, path("b/0.mp4"));
}

// It swallowed every line to the next quote, and all of them counted as one bad entry.
TEST_F(Discover, AStrayQuoteCostsItsOwnLine) {
  touch("list.csv",
        "video,split\n\"a.mp4,train\nb.mp4,train\n\"c.mp4\"x,train\n5\" "
        "d.mp4,train\n\"e\nf.mp4\",train\n\"g.mp4,");
  job_.input = path("list.csv").string();

  const Discovery found = discover();

  std::vector<std::string> where, rejected;
  for (const Candidate& candidate : found.candidates) where.push_back(candidate.where);
  for (const Finding& reject : found.rejects) rejected.push_back(reject.what);
  EXPECT_EQ(where, (Names{"list.csv:3", "list.csv:5", "list.csv:6"}));
  EXPECT_EQ(rejected, (Names{"list.csv:2", "list.csv:4", "list.csv:8"}));
  EXPECT_EQ(found.candidates[1].video, path("5\" d.mp4"));
  EXPECT_EQ(found.candidates[2].video, path("e\nf.mp4"));
}

TEST_F(Discover, ReadsJsonLinesAndPassesOverBadOnes) {
  touch("list.jsonl", "{\"video\": \"a.mp4\"}\n[1]\n{\"film\": \"a.mp4\"}\n{\n");
  job_.input = path("list.jsonl").string();

  const Discovery found = discover();

  EXPECT_EQ(found.candidates.size(), 1U);
  EXPECT_EQ(found.rejects.size(), 3U);
}

TEST_F(Discover, SaysWhatAFolderLacks) {
  job_.layout = IngestLayout::Moore;

  const auto found = ingest_internal::discover(job_);

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::InvalidArgument);
}

TEST_F(Discover, ChampsPicturesGoThroughTheWholeIngest) {
  write_pictures("one/images", test::drifting_clip(64, 48, 9));
  write_pictures("one/dwpose", poses(9));
  write_pictures("two/images", test::drifting_clip(64, 48, 9));
  write_pictures("two/dwpose", poses(8));
  write_pictures("three/images", test::drifting_clip(64, 48, 9));
  write_pictures("three/dwpose", poses(9));
  ASSERT_TRUE(image::write_png(path("three/images/4.png"), image::Image(60, 48)));

  const IngestReport report = run();

  ASSERT_EQ(report.clips, 1);
  EXPECT_EQ(clips()[0].id, "one");
  EXPECT_EQ(clips()[0].num_frames, 9);
  EXPECT_EQ(reason(report.rejects, "two"), "frame-count-mismatch");
  EXPECT_EQ(reason(report.rejects, "three"), "size-changes");
}

}  // namespace
}  // namespace zt::data
