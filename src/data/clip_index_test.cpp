// SPDX-License-Identifier: Apache-2.0
#include "data/clip_index.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

using ::testing::HasSubstr;

ClipRecord full_record() {
  ClipRecord clip;
  clip.id = "walk-1";
  clip.video = "videos/walk \xC3\xA4.mp4";
  clip.pose_video = "videos_dwpose/walk.mp4";
  clip.keypoints = "keypoints/walk.jsonl";
  clip.mask = "masks/walk.mp4";
  clip.labels = "labels/walk.mp4";
  clip.background = "backgrounds/walk.png";
  clip.split = "val_a";
  clip.content = "0123456789abcdef0123456789abcdef";
  clip.first_frame = 5;
  clip.num_frames = 40;
  clip.width = 640;
  clip.height = 480;
  clip.pose_width = 320;
  clip.pose_height = 240;
  clip.fps_num = 30000;
  clip.fps_den = 1001;
  clip.character = 7;
  clip.motion = 9;
  clip.num_people = 2;
  clip.person_box = {0.1, 0.2, 0.75, 1.0};
  return clip;
}

ClipRecord small_record(const std::string& id) {
  ClipRecord clip;
  clip.id = id;
  clip.video = id + ".mp4";
  clip.num_frames = 1;
  clip.width = clip.height = 64;
  return clip;
}

std::string file_of(const std::string& records, int count) {
  const std::string checksum = hash::xxh128_hex(std::as_bytes(std::span(records)));
  return fmt::format(R"({{"format":"zoetrope-index","version":1,"clips":{},"checksum":"{}"}})", count,
                     checksum) +
         "\n" + records;
}

TEST(ClipIndex, EveryFieldSurvivesAFile) {
  const test::TempFolder folder;

  ASSERT_TRUE(write_index(folder / "index.jsonl", {full_record(), small_record("b")}));
  const auto index = read_index(folder / "index.jsonl");

  ASSERT_TRUE(index) << index.error().text();
  EXPECT_EQ(index->clips, (std::vector<ClipRecord>{full_record(), small_record("b")}));
  EXPECT_EQ(index->root, folder.path());
  EXPECT_EQ(index->path("a/b.mp4"), folder / "a/b.mp4");
}

TEST(ClipIndex, AHandWrittenLineNeedsOnlyWhatIsNotDefault) {
  const auto index =
      parse_index(file_of(R"({"id":"b","video":"b.mp4","num_frames":1,"width":64,"height":64,"later":[1]})"
                          "\n",
                          1),
                  "/data");

  ASSERT_TRUE(index) << index.error().text();
  EXPECT_EQ(index->clips, (std::vector<ClipRecord>{small_record("b")}));
  EXPECT_EQ(index->path("/elsewhere/b.mp4"), "/elsewhere/b.mp4");
}

TEST(ClipIndex, IsRefusedWithTheLine) {
  const std::string good = R"({"id":"a","video":"a.mp4","num_frames":5,"width":64,"height":64})"
                           "\n";
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string line = good;
    return file_of(good + line.replace(line.find(from), from.size(), to), 2);
  };
  const std::vector<std::pair<std::string, std::string>> damaged = {
      {"", "line 1: the file is empty"},
      {"[]\n", "line 1: not a JSON object"},
      {file_of(good, 1) + good, "line 1: the checksum"},
      {file_of(good, 1).substr(0, 150), "line 1: the checksum"},
      {file_of(good, 2), "line 2: 1 clips instead of 2"},
      {file_of(good, -1), "line 1: no number of clips"},
      {file_of(good + good, 2), "line 3: second clip with the id a"},
      {changed("\"id\":\"a\"", "\"id\":\"../a\""), "line 3: id is missing or not safe"},
      {changed("\"id\":\"a\",", ""), "line 3: id is missing or not safe"},
      {changed("a.mp4", ""), "line 3: no video"},
      {changed("a.mp4", "a\\u0000b"), "line 3: video is not a text"},
      {changed("\"num_frames\":5,", ""), "line 3: num_frames is not a whole number from 1"},
      {changed("5", "0"), "line 3: num_frames is not a whole number from 1"},
      {changed("5", "5.5"), "line 3: num_frames is not a whole number from 1"},
      {changed("64", "70000"), "line 3: width is not a whole number from 1 to 65536"},
      {changed("5", R"(5,"fps_den":0)"), "line 3: fps_den is not"},
      {changed("5", R"(5,"motion":18446744073709551615)"), "line 3: motion is not"},
      {changed("5", R"(5,"person_box":[0.5,0,0.5,1])"), "line 3: person_box is not"},
      {changed("5", R"(5,"split":3)"), "line 3: split is not a text"},
  };

  for (const auto& [text, message] : damaged) {
    const auto index = parse_index(text, "");
    ASSERT_FALSE(index) << message;
    EXPECT_EQ(index.error().code, ErrorCode::Corrupt);
    EXPECT_THAT(index.error().message, HasSubstr(message));
  }
}

TEST(ClipIndex, WithoutAnyPoseIsRefusedForTraining) {
  ClipIndex index{"/data", {small_record("a"), small_record("b")}};
  for (ClipRecord& clip : index.clips) clip.keypoints = clip.pose_video = "";
  const Status none = require_poses(index);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(none.error().message, HasSubstr("none of the 2 clips"));

  index.clips[1].pose_video = "b_pose.mp4";
  EXPECT_TRUE(require_poses(index)) << "clips without are left out while it trains";
}

TEST(ClipIndex, ASplitKeepsOrderAndRoot) {
  ClipIndex index{"/data", {small_record("a"), small_record("b"), small_record("c")}};
  index.clips[0].split = index.clips[2].split = "train";
  index.clips[1].split = "val_a";

  const ClipIndex train = select_split(index, "train");

  ASSERT_EQ(train.clips.size(), 2U);
  EXPECT_EQ(train.clips[1].id, "c");
  EXPECT_EQ(train.root, "/data");
  EXPECT_EQ(select_split(index, "").clips.size(), 3U);
}

TEST(ClipIndex, ItsDigestIsOfTheClipsAndNotOfTheirPlaces) {
  const ClipIndex index{"/data", {full_record(), small_record("b")}};
  const std::string digest = index.digest();
  EXPECT_EQ(digest.size(), 32U);

  ClipIndex moved{"/elsewhere", index.clips};
  moved.clips[0].video = "/absolute/walk.mp4";
  moved.clips[0].keypoints = "../keypoints/walk.jsonl";
  EXPECT_EQ(moved.digest(), digest);

  EXPECT_NE((ClipIndex{"/data", {small_record("b"), full_record()}}).digest(), digest) << "order";
  EXPECT_NE((ClipIndex{"/data", {full_record()}}).digest(), digest) << "a clip less";
  const auto with = [&](const auto& change) {
    ClipIndex other = index;
    change(other.clips[0]);
    return other.digest();
  };
  EXPECT_NE(with([](ClipRecord& clip) { clip.content[0] = 'f'; }), digest);
  EXPECT_NE(with([](ClipRecord& clip) { clip.id = "walk-2"; }), digest);
  EXPECT_NE(with([](ClipRecord& clip) { ++clip.first_frame; }), digest);
  EXPECT_NE(with([](ClipRecord& clip) { --clip.num_frames; }), digest);
  EXPECT_NE(with([](ClipRecord& clip) { ++clip.width; }), digest);
  EXPECT_NE(with([](ClipRecord& clip) { clip.keypoints.clear(); }), digest) << "its pose is the video then";
  EXPECT_NE(with([](ClipRecord& clip) { clip.person_box[0] = 0.2; }), digest);
}

TEST(ClipIndex, ItsDigestIsNotOfTheTimesOfSampledFootage) {
  ClipIndex index{"/data", {full_record()}};
  index.clips[0].content = "0123456789abcdef0123456789abcdef.00000000000000000000000000000000";
  EXPECT_EQ(index.digest(), (ClipIndex{"/data", {full_record()}}).digest());
}

}  // namespace
}  // namespace zt::data
