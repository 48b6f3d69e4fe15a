// SPDX-License-Identifier: Apache-2.0
// What VideoWriter promises, checked with ffprobe and by reading the files back.
#include "media/video_writer.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files/files.hpp"
#include "media/video_reader.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::media {
namespace {

namespace fs = std::filesystem;
using test::drifting_clip;
using test::output_of;
using ::testing::HasSubstr;

std::string ffprobe(const std::string& entries, const fs::path& path) {
  return output_of(fmt::format("ffprobe -v error -select_streams v -show_entries {} -of csv=p=0 {}", entries,
                               path.string()));
}

size_t num_files(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(VideoWriter, MetadataAndRationalRateAreReadBack) {
  const test::TempFolder folder;
  const fs::path path = folder / "a.mp4";

  ASSERT_TRUE(write_video(path, drifting_clip(32, 32, 6),
                          {.width = 32,
                           .height = 32,
                           .fps = {30000, 1001},
                           .metadata = {{"seed", "42"}, {"weights", "a1b2 c3"}}}));

  const auto info = probe(path);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->fps, (Rational{30000, 1001}));
  EXPECT_EQ(info->metadata.at("seed"), "42");
  EXPECT_EQ(info->metadata.at("weights"), "a1b2 c3");
  EXPECT_THAT(ffprobe("format_tags=seed,weights", path), HasSubstr("42,a1b2 c3"));
  EXPECT_THAT(ffprobe("stream=avg_frame_rate,nb_frames", path), HasSubstr("30000/1001,6"));
}

TEST(VideoWriter, StreamIsWhatPlayersExpect) {
  const test::TempFolder folder;
  const fs::path path = folder / "a.mp4";

  ASSERT_TRUE(write_video(path, drifting_clip(48, 32, 26), {.width = 48, .height = 32}));

  EXPECT_THAT(ffprobe("stream=codec_name,pix_fmt,color_range,color_space", path),
              HasSubstr("h264,yuv420p,tv,smpte170m"));
  // Keyframes at 0, 12, 24; the first column is the kind of picture.
  const std::string kinds = ffprobe("frame=pict_type", path);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), 'I'), 3);
  const std::string bytes = files::read(path).value();
  EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));
}

TEST(VideoWriter, SamePicturesGiveTheSameBytes) {
  const test::TempFolder folder;
  for (const auto& [width, height] : {std::pair{48, 48}, {64, 64}, {160, 96}}) {
    const VideoWriterOptions options{.width = width, .height = height};
    const auto pictures = drifting_clip(width, height, 20);
    ASSERT_TRUE(write_video(folder / "first.mp4", pictures, options));
    const std::string first = files::read(folder / "first.mp4").value();
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(write_video(folder / "again.mp4", pictures, options));

      EXPECT_TRUE(files::read(folder / "again.mp4").value() == first) << width << " x " << height;
    }
  }
}

TEST(VideoWriter, OddSizesAreStoredOnePixelLarger) {
  const test::TempFolder folder;
  const fs::path path = folder / "odd.mp4";
  const auto pictures = drifting_clip(33, 35, 5);

  ASSERT_TRUE(write_video(path, pictures, {.width = 33, .height = 35, .crf = 12}));
  const auto writer = VideoWriter::open(folder / "other.mp4", {.width = 33, .height = 35});

  EXPECT_EQ(writer->width(), 34);
  EXPECT_EQ(writer->height(), 36);
  const auto found = read_frame(path, 3);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->width, 34);
  EXPECT_EQ(found->height, 36);
  EXPECT_GT(test::psnr_of(image::crop(*found, 0, 0, 33, 35), pictures[3]), 35);
  EXPECT_NEAR(found->at(33, 10)[0], found->at(32, 10)[0], 6);
}

TEST(VideoWriter, SmallerCrfIsBetterAndLarger) {
  const test::TempFolder folder;
  const auto pictures = drifting_clip(64, 48, 12);
  const auto written = [&](const std::string& name, int crf) {
    EXPECT_TRUE(write_video(folder / name, pictures, {.width = 64, .height = 48, .crf = crf}));
    return std::pair(test::psnr_of(*read_frame(folder / name, 6), pictures[6]), fs::file_size(folder / name));
  };

  const auto [fine_psnr, fine_bytes] = written("fine.mp4", 8);
  const auto [coarse_psnr, coarse_bytes] = written("coarse.mp4", 40);

  EXPECT_GT(fine_psnr, coarse_psnr + 3);
  EXPECT_GT(fine_bytes, coarse_bytes);
}

TEST(VideoWriter, FallsBackToTheNextEncoder) {
  const test::TempFolder folder;
  const auto pictures = drifting_clip(64, 48, 8);

  auto writer =
      VideoWriter::open(folder / "a.mp4", {.width = 64, .height = 48, .encoders = {"no_such", "mpeg4"}});
  ASSERT_TRUE(writer) << writer.error().text();
  for (const auto& picture : pictures) ASSERT_TRUE(writer->write(picture));
  ASSERT_TRUE(writer->finish());

  EXPECT_EQ(writer->encoder(), "mpeg4");
  EXPECT_EQ(probe(folder / "a.mp4")->codec, "mpeg4");
  EXPECT_GT(test::psnr_of(*read_frame(folder / "a.mp4", 5), pictures[5]), 35);
}

TEST(VideoWriter, SaysWhichEncodersFailed) {
  const test::TempFolder folder;

  const auto writer =
      VideoWriter::open(folder / "a.mp4", {.width = 64, .height = 48, .encoders = {"no_such"}});

  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, ErrorCode::Unsupported);
  EXPECT_THAT(writer.error().message, HasSubstr("no_such: not in this FFmpeg"));
}

TEST(VideoWriter, TheFileAppearsOnlyWhenFinished) {
  const test::TempFolder folder;
  {
    auto writer = VideoWriter::open(folder / "a.mp4", {.width = 32, .height = 32});
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->write(image::Image(32, 32)));
    EXPECT_FALSE(fs::exists(folder / "a.mp4"));
    EXPECT_EQ(num_files(folder.path()), 1U);  // the temporary one
  }
  EXPECT_EQ(num_files(folder.path()), 0U);
}

TEST(VideoWriter, AVideoWithoutPicturesIsNotWritten) {
  const test::TempFolder folder;
  const Status written = write_video(folder / "a.mp4", {}, {.width = 32, .height = 32});

  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("has no pictures"));
  EXPECT_EQ(num_files(folder.path()), 0U);
}

TEST(VideoWriter, ASinglePictureIsAVideo) {
  const test::TempFolder folder;

  ASSERT_TRUE(
      write_video(folder / "a.mp4", drifting_clip(32, 32, 1), {.width = 32, .height = 32, .fps = {10, 1}}));

  const auto info = probe(folder / "a.mp4", {.count_frames = true});
  EXPECT_EQ(info->num_frames, 1);
  EXPECT_NEAR(info->duration_s, 0.1, 1e-6);
}

TEST(VideoWriter, RefusesWhatCannotBeRight) {
  const test::TempFolder folder;
  const auto code = [&](const std::string& name, const VideoWriterOptions& options) {
    const auto writer = VideoWriter::open(folder / name, options);
    return writer ? ErrorCode::Internal : writer.error().code;
  };

  EXPECT_EQ(code("a.mp4", {.width = 0, .height = 32}), ErrorCode::InvalidArgument);
  EXPECT_EQ(code("a.mp4", {.width = 32, .height = 1 << 20}), ErrorCode::InvalidArgument);
  EXPECT_EQ(code("a.mp4", {.width = 32, .height = 32, .fps = {0, 1}}), ErrorCode::InvalidArgument);
  EXPECT_EQ(code("a.mp4", {.width = 32, .height = 32, .crf = 52}), ErrorCode::InvalidArgument);
  EXPECT_EQ(code("a.mp4", {.width = 32, .height = 32, .gop = 0}), ErrorCode::InvalidArgument);
  for (const char* name : {"a.unknown", "a", "a.gif", "a.webm", "a.png", "a.y4m", "a.mp3"})
    EXPECT_EQ(code(name, {.width = 32, .height = 32}), ErrorCode::InvalidArgument) << name;
  EXPECT_EQ(code("no/folder/a.mp4", {.width = 32, .height = 32}), ErrorCode::NotFound);
  EXPECT_EQ(num_files(folder.path()), 0U);
}

TEST(VideoWriter, RefusesPicturesOfAnotherSize) {
  const test::TempFolder folder;
  auto writer = VideoWriter::open(folder / "a.mp4", {.width = 32, .height = 32});

  const Status written = writer->write(image::Image(32, 30));

  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("32 x 30 with 3 channels does not fit"));
}

}  // namespace
}  // namespace zt::media
