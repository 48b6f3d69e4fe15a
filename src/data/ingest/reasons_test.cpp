// SPDX-License-Identifier: Apache-2.0
// Every kind of file that real folders hold, each with the word that the report must have for it. The odd
// ones are made by the ffmpeg program.
#include <fmt/format.h>

#include <fstream>

#include "base/files/files.hpp"
#include "support/footage.hpp"
#include "support/ingest_fixture.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using test::drifting_clip;
using test::run_ffmpeg;

class IngestReasons : public IngestTest {
 protected:
  IngestReasons() { write_pair("good.mp4"); }

  // Makes set/NAME from set/good.mp4, with a pose of 10 frames.
  void convert(const std::string& name, const std::string& options, const std::string& input_options = "") {
    write_pose(name, 10);
    ASSERT_TRUE(run_ffmpeg(fmt::format("{} -i {} {} {}", input_options, path("set/good.mp4").string(),
                                       options, path("set/" + name).string())));
  }
  void damage_middle(const std::string& name) {
    std::fstream file(path(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(path(name)) / 2));
    file << std::string(200, '\xff');
  }
  std::string reject_of(const std::string& name) { return reason(run().rejects, name); }
  ClipRecord clip_of(const std::string& id) {
    run();
    for (const ClipRecord& clip : clips())
      if (clip.id == id) return clip;
    return ADD_FAILURE() << "no clip " << id, ClipRecord();
  }
};

TEST_F(IngestReasons, EmptyFile) {
  write_pose("x.mp4", 10);
  std::ofstream(path("set/x.mp4"));

  EXPECT_EQ(reject_of("x.mp4"), "empty-file");
}

TEST_F(IngestReasons, TextWithAVideosName) {
  write_pose("x.mp4", 10);
  std::ofstream(path("set/x.mp4"))
      << "This is a letter, not a film. It goes on for a while and says nothing.\n";

  EXPECT_EQ(reject_of("x.mp4"), "corrupt");
}

TEST_F(IngestReasons, NameThatIsNotUtf8) {
  write_pair("x\xff.mp4");

  EXPECT_EQ(reject_of("x\xff.mp4"), "bad-name");
}

TEST_F(IngestReasons, FileCutShortKeepsItsHeader) {
  write_pair("x.mp4", 20);
  fs::resize_file(path("set/x.mp4"), fs::file_size(path("set/x.mp4")) * 6 / 10);

  EXPECT_EQ(reject_of("x.mp4"), "truncated");
}

TEST_F(IngestReasons, FileCutShortLosesItsIndexAtTheEnd) {
  convert("x.mp4", "-c copy");  // without -movflags faststart the index comes last
  fs::resize_file(path("set/x.mp4"), fs::file_size(path("set/x.mp4")) / 2);

  EXPECT_EQ(reject_of("x.mp4"), "corrupt");
}

TEST_F(IngestReasons, DamagedBytesInTheMiddle) {
  write_pair("x.mp4", 20);
  damage_middle("set/x.mp4");

  EXPECT_EQ(reject_of("x.mp4"), "corrupt-frames");
}

TEST_F(IngestReasons, SoundWithoutPictures) {
  write_pose("x.mp4", 10);
  ASSERT_TRUE(run_ffmpeg("-f lavfi -i sine=d=1 " + path("set/x.mp4").string()));

  EXPECT_EQ(reject_of("x.mp4"), "not-a-video");
}

TEST_F(IngestReasons, TooFewFrames) {
  write_pair("x.mp4", 7);

  EXPECT_EQ(reject_of("x.mp4"), "too-short");
}

TEST_F(IngestReasons, TooManyPixels) {
  write_pose("x.mp4", 10);
  std::ofstream(path("set/x.mp4")) << "YUV4MPEG2 W8200 H8200 F25:1 Ip A1:1 C420jpeg\nFRAME\n"
                                   << std::string(1000, '\0');

  EXPECT_EQ(reject_of("x.mp4"), "too-large");
}

TEST_F(IngestReasons, TooFewPixels) {
  write_video("set/x.mp4", drifting_clip(40, 24, 10));
  write_pose("x.mp4", 10);

  EXPECT_EQ(reject_of("x.mp4"), "too-small");
}

TEST_F(IngestReasons, PoseOfAnotherLength) {
  write_video("set/x.mp4", drifting_clip(64, 48, 12));
  write_pose("x.mp4", 11);

  EXPECT_EQ(reject_of("x.mp4"), "frame-count-mismatch");
}

TEST_F(IngestReasons, NoPose) {
  write_video("set/x.mp4", drifting_clip(64, 48, 10));

  EXPECT_EQ(reject_of("x.mp4"), "missing-pose");
}

TEST_F(IngestReasons, PoseInWhichNothingIsDrawn) {
  write_video("set/x.mp4", drifting_clip(64, 48, 10));
  write_video("set_dwpose/x.mp4", Pictures(10, image::Image(64, 48)));

  EXPECT_EQ(reject_of("x.mp4"), "no-person");
}

TEST_F(IngestReasons, DamagedKeypoints) {
  write_pair("x.mp4");
  fs::create_directories(path("set_keypoints"));
  std::ofstream(path("set_keypoints/x.jsonl")) << "{\"format\":\"zoetrope-keypoints\"";

  EXPECT_EQ(reject_of("x.mp4"), "keypoints-corrupt");
}

TEST_F(IngestReasons, MaskOfAnotherLength) {
  write_pair("x.mp4");
  write_video("set_mask/x.mp4", drifting_clip(64, 48, 9));

  EXPECT_EQ(reject_of("x.mp4"), "frame-count-mismatch");
}

TEST_F(IngestReasons, MaskCutShort) {
  write_pair("x.mp4");
  write_video("set_mask/x.mp4", drifting_clip(64, 48, 10));
  fs::resize_file(path("set_mask/x.mp4"), fs::file_size(path("set_mask/x.mp4")) - 10);

  EXPECT_EQ(reject_of("mask/x.mp4"), "truncated");
  job_.verify_frames = false;
  EXPECT_EQ(reject_of("mask/x.mp4"), "truncated");
}

// It passed, and evaluation met it.
TEST_F(IngestReasons, MaskDamagedInTheMiddle) {
  write_pair("x.mp4", 20);
  write_video("set_mask/x.mp4", drifting_clip(64, 48, 20));
  damage_middle("set_mask/x.mp4");

  EXPECT_EQ(reject_of("mask/x.mp4"), "corrupt-frames");
}

TEST_F(IngestReasons, ShotOfAFewFrames) {
  Pictures pictures = drifting_clip(64, 48, 10);
  for (int i = 0; i < 3; ++i) pictures.push_back(image::filled(64, 48, {250, 250, 250}));
  write_video("set/x.mp4", pictures);
  write_pose("x.mp4", 13);

  EXPECT_EQ(reject_of("x.mp4"), "shot-too-short");
}

TEST_F(IngestReasons, VariableFrameRateIsKeptWithARemark) {
  convert("x.mp4", "-vf \"select='not(eq(mod(n,5),3))'\" -vsync vfr");
  write_pose("x.mp4", 8);

  const IngestReport report = run();

  EXPECT_EQ(reason(report.rejects, "x.mp4"), "");
  EXPECT_EQ(reason(report.remarks, "x.mp4"), "variable-frame-rate");
}

TEST_F(IngestReasons, OtherRateOfThePoseIsKeptWithARemark) {
  write_video("set/x.mp4", drifting_clip(64, 48, 10), 30);
  write_pose("x.mp4", 10);

  const IngestReport report = run();

  EXPECT_EQ(reason(report.rejects, "x.mp4"), "");
  EXPECT_EQ(reason(report.remarks, "x.mp4"), "frame-rate-differs");
}

TEST_F(IngestReasons, RotatedFootageStandsUpright) {
  convert("x.mp4", "-c copy -metadata:s:v rotate=90");

  const ClipRecord clip = clip_of("x");

  EXPECT_EQ(clip.width, 48);
  EXPECT_EQ(clip.height, 64);
}

TEST_F(IngestReasons, OddSizesAreKept) {
  convert("x.mkv", "-vf scale=63:47 -pix_fmt yuv444p");

  const ClipRecord clip = clip_of("x");

  EXPECT_EQ(clip.width, 63);
  EXPECT_EQ(clip.height, 47);
}

TEST_F(IngestReasons, TenBitsAreKept) {
  convert("x.mkv", "-pix_fmt yuv420p10le");

  EXPECT_EQ(clip_of("x").num_frames, 10);
}

TEST_F(IngestReasons, RealFootageIsKept) {
  const fs::path footage = test::footage("bikes.mp4");
  if (!fs::exists(footage)) GTEST_SKIP() << "footage is not in .deps: run scripts/setup --dev";
  ASSERT_TRUE(
      run_ffmpeg(fmt::format("-i {} -frames:v 12 -c copy {}", footage.string(), path("set/x.mkv").string())));
  write_pose("x.mkv", 12);

  const ClipRecord clip = clip_of("x");

  EXPECT_EQ(clip.width, 640);  // as ffprobe says
  EXPECT_DOUBLE_EQ(clip.fps(), 25);
}

}  // namespace
}  // namespace zt::data
