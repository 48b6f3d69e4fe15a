// SPDX-License-Identifier: Apache-2.0
// Real files, made by VideoWriter and by the ffmpeg program; its own decoding is the second opinion.
#include "media/video_reader.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/files/files.hpp"
#include "media/video_writer.hpp"
#include "support/broken_reads.hpp"
#include "support/clips.hpp"
#include "support/descriptor_limit.hpp"
#include "support/temp_folder.hpp"

namespace zt::media {
namespace {

namespace fs = std::filesystem;
using image::Image;
using test::drifting_clip;
using test::psnr_of;
using test::run_ffmpeg;
using ::testing::HasSubstr;

Result<std::vector<Image>> read_all(VideoReader& reader) {
  std::vector<Image> frames;
  for (;;) {
    ZT_TRY_ASSIGN(std::optional<Image> frame, reader.next());
    if (!frame) return frames;
    frames.push_back(std::move(*frame));
  }
}

class VideoFile : public ::testing::Test {
 protected:
  // 64 x 48, 30 frames at 25 a second, keyframes every 12, B-frames between.
  fs::path clip(const std::string& name = "clip.mp4", int num_frames = 30) {
    const fs::path path = folder_ / name;
    const Status written = write_video(path, drifting_clip(64, 48, num_frames),
                                       {.width = 64, .height = 48, .fps = {25, 1}, .crf = 12});
    EXPECT_TRUE(written) << (written ? "" : written.error().text());
    return path;
  }
  std::vector<Image> frames_of(const fs::path& path, const VideoReaderOptions& options = {}) {
    auto reader = VideoReader::open(path, options);
    if (!reader) return ADD_FAILURE() << reader.error().text(), std::vector<Image>();
    auto frames = read_all(*reader);
    if (!frames) return ADD_FAILURE() << frames.error().text(), std::vector<Image>();
    return *frames;
  }
  // What the ffmpeg program decodes, as RGB.
  std::vector<Image> ffmpeg_frames(const fs::path& path, int width, int height) {
    const std::string bytes =
        test::output_of(fmt::format("ffmpeg -nostdin -v error -i {} -vsync 0 -f rawvideo -pix_fmt rgb24 "
                                    "-sws_flags accurate_rnd+full_chroma_int -",
                                    path.string()));
    const size_t size = static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
    std::vector<Image> frames(bytes.size() / size, Image(width, height));
    for (size_t i = 0; i < frames.size(); ++i)
      std::copy_n(bytes.data() + i * size, size, frames[i].pixels.data());
    return frames;
  }
  void cut(const fs::path& path, double part) {
    fs::resize_file(path, static_cast<uintmax_t>(static_cast<double>(fs::file_size(path)) * part));
  }
  test::TempFolder folder_;
};

TEST_F(VideoFile, RoundTripKeepsThePictures) {
  const auto wanted = drifting_clip(64, 48, 30);

  const auto found = frames_of(clip());

  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_GT(psnr_of(found[i], wanted[i]), 35) << i;
}

TEST_F(VideoFile, ProbeTellsWhatIsInTheFile) {
  const auto header = probe(clip());
  const auto counted = probe(clip(), {.count_frames = true});

  ASSERT_TRUE(header && counted);
  EXPECT_EQ(header->width, 64);
  EXPECT_EQ(header->height, 48);
  EXPECT_EQ(header->fps, (Rational{25, 1}));
  EXPECT_EQ(header->num_frames, 30);
  EXPECT_FALSE(header->is_counted);
  EXPECT_NEAR(header->duration_s, 1.2, 0.001);
  EXPECT_EQ(header->codec, "h264");
  EXPECT_EQ(header->pixel_format, "yuv420p");
  EXPECT_EQ(header->bits_per_channel, 8);
  EXPECT_FALSE(header->has_audio);
  EXPECT_EQ(counted->num_frames, 30);
  EXPECT_TRUE(counted->is_counted);
  EXPECT_EQ(counted->corrupt_frames, 0);
  EXPECT_FALSE(counted->is_variable_rate);
  EXPECT_FALSE(counted->is_truncated);
}

TEST_F(VideoFile, FramesByNumberEqualSequentialDecoding) {
  const std::vector<int64_t> numbers{29, 0, 5, 6, 7, 13, 13, 11, 12, 24, 1};
  const fs::path mp4 = clip("a.mp4"), mkv = clip("a.mkv"), avi = clip("a.avi"), webm = folder_ / "a.webm";
  ASSERT_TRUE(run_ffmpeg(fmt::format("-i {} -c:v libvpx -b:v 400k -auto-alt-ref 1 -lag-in-frames 10 {}",
                                     mp4.string(), webm.string())));
  for (const fs::path& path : {mp4, mkv, avi, webm}) {
    const auto all = frames_of(path);
    ASSERT_EQ(all.size(), 30U) << path;
    auto reader = VideoReader::open(path);
    ASSERT_TRUE(reader);

    for (int round = 0; round < 2; ++round) {
      const auto found = reader->frames(numbers);

      ASSERT_TRUE(found) << found.error().text();
      for (size_t i = 0; i < numbers.size(); ++i) {
        EXPECT_TRUE((*found)[i] == all[static_cast<size_t>(numbers[i])]) << path << " frame " << numbers[i];
      }
    }
    EXPECT_TRUE(*reader->next().value() == all[0]);  // starts again
  }
}

TEST_F(VideoFile, SeekingDecodesOnlyFromTheKeyframe) {
  auto reader = VideoReader::open(clip());

  ASSERT_TRUE(reader->frames(std::vector<int64_t>{25}));

  EXPECT_LE(reader->report().frames, 12);  // one group of pictures, not 26
}

// Each call went back to the keyframe, or without a table to the start: 27 decodes a frame at a GOP of 250.
TEST_F(VideoFile, CallsInOrderDecodeEachFrameOnce) {
  for (const std::string name : {"film.mp4", "film.mkv", "film.avi"}) {
    const fs::path path = folder_ / name;
    ASSERT_TRUE(write_video(path, drifting_clip(64, 48, 96),
                            {.width = 64, .height = 48, .fps = {25, 1}, .crf = 12, .gop = 250}));
    const auto all = frames_of(path);
    auto reader = VideoReader::open(path);
    ASSERT_TRUE(reader);

    for (int64_t first = 0; first < 96; first += 8) {
      const auto found = reader->frames(std::vector<int64_t>{first, first + 1, first + 7});
      ASSERT_TRUE(found) << found.error().text();
      EXPECT_TRUE((*found)[0] == all[static_cast<size_t>(first)]) << name << first;
      EXPECT_TRUE((*found)[2] == all[static_cast<size_t>(first + 7)]) << name << first;
    }

    EXPECT_EQ(reader->report().frames, 96) << name;
    EXPECT_TRUE(reader->frames(std::vector<int64_t>{3}).value()[0] == all[3]) << name << ": back again";
    EXPECT_TRUE(*reader->next().value() == all[0]);
    EXPECT_TRUE(reader->frames(std::vector<int64_t>{1}).value()[0] == all[1]) << name << ": after next()";
  }
}

TEST_F(VideoFile, NumbersBeyondTheEndAreNamed) {
  auto reader = VideoReader::open(clip());

  EXPECT_THAT(
      reader->frames(std::vector<int64_t>{3, 30}).error().message,
      HasSubstr("frame 30 does not exist: " + (folder_ / "clip.mp4").string() + " has 30 frames (0 to 29)"));
  EXPECT_EQ(reader->frames(std::vector<int64_t>{-1}).error().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(read_frame(clip("a.avi"), 30).error().message, HasSubstr("has 30 frames"));
  EXPECT_TRUE(read_frame(clip(), 29));
}

TEST_F(VideoFile, ThreadsDoNotChangeThePictures) {
  const fs::path path = clip();

  EXPECT_TRUE(frames_of(path) == frames_of(path, {.thread_count = 3}));
}

TEST_F(VideoFile, RotationIsAppliedAsFfmpegDoes) {
  const fs::path plain = clip();
  const auto upright = frames_of(plain);
  std::set<image::Orientation> orientations;
  for (const int degrees : {90, 180, 270}) {
    const fs::path turned = folder_ / fmt::format("turned{}.mp4", degrees);
    ASSERT_TRUE(run_ffmpeg(
        fmt::format("-i {} -c copy -metadata:s:v:0 rotate={} {}", plain.string(), degrees, turned.string())));
    const auto info = probe(turned);
    ASSERT_TRUE(info);

    const auto found = frames_of(turned);

    ASSERT_EQ(found.size(), 30U);
    EXPECT_TRUE(found[7] == image::oriented(upright[7], info->orientation)) << degrees;
    EXPECT_EQ(info->width, degrees == 180 ? 64 : 48);
    orientations.insert(info->orientation);
    EXPECT_GT(psnr_of(ffmpeg_frames(turned, info->width, info->height).at(7), found[7]), 45);
    EXPECT_TRUE(frames_of(turned, {.apply_rotation = false})[7] == upright[7]);
  }
  EXPECT_EQ(orientations, (std::set{image::Orientation::Rotate90, image::Orientation::Rotate180,
                                    image::Orientation::Rotate270}));
}

TEST_F(VideoFile, TenBitsAndOtherPixelFormatsBecomeRgb) {
  const fs::path plain = clip();
  const auto wanted = drifting_clip(64, 48, 30);
  for (const auto& [format, codec, bits] : {std::tuple{"yuv420p10le", "libx264", 10},
                                            {"yuv444p", "libx264", 8},
                                            {"yuvj420p", "mjpeg -q:v 2", 8},
                                            {"gbrp", "ffv1", 8},
                                            {"yuv422p10le", "prores_ks", 10}}) {
    const fs::path other = folder_ / fmt::format("{}.mkv", format);
    ASSERT_TRUE(run_ffmpeg(
        fmt::format("-i {} -c:v {} -pix_fmt {} {}", plain.string(), codec, format, other.string())));

    const auto found = frames_of(other);

    ASSERT_EQ(found.size(), 30U) << format;
    EXPECT_GT(psnr_of(found[20], wanted[20]), 35) << format;
    EXPECT_EQ(probe(other)->bits_per_channel, bits) << format;
  }
}

TEST_F(VideoFile, ColourMatrixAndRangeAreHonoured) {
  // One colour, as BT.709 full range and as BT.601 limited range. Lossless, so only rounding is left.
  const std::string source = "-f lavfi -i color=c=0xC83264:s=32x32:d=0.2:r=10,format=rgb24";
  const fs::path full709 = folder_ / "full709.mp4", limited601 = folder_ / "limited601.mp4";
  ASSERT_TRUE(run_ffmpeg(source +
                         " -vf scale=out_color_matrix=bt709:out_range=full,format=yuv420p -c:v libx264 -qp 0 "
                         "-colorspace bt709 -color_range pc " +
                         full709.string()));
  ASSERT_TRUE(run_ffmpeg(
      source + " -vf scale=out_color_matrix=bt601:out_range=limited,format=yuv420p -c:v libx264 -qp 0 " +
      limited601.string()));

  for (const fs::path& path : {full709, limited601}) {
    const Image picture = frames_of(path).at(0);
    EXPECT_NEAR(picture.pixels[0], 0xC8, 3) << path;
    EXPECT_NEAR(picture.pixels[1], 0x32, 3) << path;
    EXPECT_NEAR(picture.pixels[2], 0x64, 3) << path;
  }
}

TEST_F(VideoFile, VariableRateIsReportedAndReadExactly) {
  const fs::path variable = folder_ / "variable.mp4";
  ASSERT_TRUE(run_ffmpeg(fmt::format("-i {} -vf \"select='not(eq(mod(n,5),3))'\" -vsync vfr -c:v libx264 {}",
                                     clip().string(), variable.string())));

  const auto info = probe(variable, {.count_frames = true});
  const auto all = frames_of(variable);
  auto reader = VideoReader::open(variable);

  ASSERT_TRUE(info);
  EXPECT_TRUE(info->is_variable_rate);
  EXPECT_EQ(info->num_frames, 24);
  ASSERT_EQ(all.size(), 24U);
  EXPECT_TRUE(reader->frames(std::vector<int64_t>{17, 4}).value()[0] == all[17]);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(reader->next());
  EXPECT_NEAR(reader->last_time_s(), 5 / 25.0, 1e-6);  // the fifth kept frame was number 5: 0 1 2 4 5
}

TEST_F(VideoFile, AFileCutInTheMiddleEndsCleanlyAndSaysSo) {
  for (const std::string name : {"cut.mp4", "cut.mkv", "cut.avi"}) {
    const fs::path path = clip(name, 120);
    cut(path, 0.6);

    auto reader = VideoReader::open(path);
    ASSERT_TRUE(reader) << reader.error().text();
    const auto found = read_all(*reader);

    ASSERT_TRUE(found) << found.error().text();
    EXPECT_GT(found->size(), 30U) << name;
    EXPECT_LT(found->size(), 120U) << name;
    EXPECT_TRUE(reader->report().is_truncated) << name;
    EXPECT_TRUE(probe(path, {.count_frames = true})->is_truncated) << name;
  }
}

TEST_F(VideoFile, AFileWithoutItsIndexIsCorrupt) {
  const fs::path path = folder_ / "tail.mp4";
  ASSERT_TRUE(
      run_ffmpeg(fmt::format("-i {} -c copy {}", clip().string(), path.string())));  // index at the end
  cut(path, 0.5);

  const auto info = probe(path);

  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(info.error().message, HasSubstr("cannot read video " + path.string() + ": Invalid data"));
}

TEST_F(VideoFile, DamagedBytesAreCountedAndNeverCrash) {
  const auto bytes = files::read(clip("whole.mp4", 120)).value();
  const fs::path path = folder_ / "damaged.mp4";
  int64_t most_corrupt = 0;
  for (size_t start = 0; start + 64 < bytes.size(); start += bytes.size() / 40) {
    std::string damaged = bytes;
    for (size_t i = 0; i < 64; ++i) damaged[start + i] = static_cast<char>(damaged[start + i] ^ 0x5a);
    ASSERT_TRUE(files::write_atomic(path, damaged));

    const auto info = probe(path, {.count_frames = true});

    if (info) most_corrupt = std::max(most_corrupt, info->corrupt_frames);
  }
  EXPECT_GT(most_corrupt, 0);
}

// From /proc/self/status, in bytes; 0 where the kernel does not say.
uint64_t memory_line(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name)) return std::stoull(line.substr(name.size())) * 1024;
  return 0;
}

// Every picture was copied out of those decoded, and twice as much was alive as load_sample() makes room for.
TEST_F(VideoFile, HoldsEachPictureOnce) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's own memory grows with the program's";
#endif
  constexpr int kWidth = 1280, kHeight = 720, kFrames = 24;
  const auto path = folder_ / "large.mp4";
  ASSERT_TRUE(media::write_video(path, std::vector(kFrames, image::filled(kWidth, kHeight, {90, 60, 30})),
                                 {.width = kWidth, .height = kHeight}));
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < kFrames; ++i) numbers.push_back(i);
  auto reader = VideoReader::open(path);
  ASSERT_TRUE(reader);
  ASSERT_TRUE(reader->frames(std::vector<int64_t>{0}));  // the decoder has its own pictures by now
  if (!(std::ofstream("/proc/self/clear_refs") << 5 << std::flush) || memory_line("VmHWM:") == 0)
    GTEST_SKIP() << "the kernel does not let the peak of memory start anew";
  const uint64_t before = memory_line("VmRSS:");

  const auto pictures = reader->frames(numbers);

  ASSERT_TRUE(pictures);
  const uint64_t taken = memory_line("VmHWM:") - std::min(before, memory_line("VmHWM:"));
  EXPECT_LT(taken, uint64_t{3} * kWidth * kHeight * kFrames * 3 / 2);
}

TEST_F(VideoFile, GivesARepeatedNumberAsOftenAsAskedFor) {
  const auto pictures = test::drifting_clip(64, 48, 3);
  const auto path = folder_ / "short.mp4";
  ASSERT_TRUE(media::write_video(path, pictures, {.width = 64, .height = 48}));
  auto reader = VideoReader::open(path);
  ASSERT_TRUE(reader);

  const auto found = reader->frames(std::vector<int64_t>{1, 2, 1, 1});

  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[0].pixels.size(), 64U * 48 * 3);
  EXPECT_EQ((*found)[2].pixels, (*found)[0].pixels);
  EXPECT_EQ((*found)[3].pixels, (*found)[0].pixels);
}

TEST_F(VideoFile, SoundWithoutPictureIsRefused) {
  const fs::path sound = folder_ / "sound.m4a", cover = folder_ / "cover.mp3", picture = folder_ / "p.png";
  ASSERT_TRUE(run_ffmpeg("-f lavfi -i sine=d=0.3 " + sound.string()));
  ASSERT_TRUE(run_ffmpeg("-f lavfi -i color=s=16x16 -frames:v 1 " + picture.string()));
  ASSERT_TRUE(run_ffmpeg(fmt::format("-i {} -i {} -map 0 -map 1 -c:v copy -disposition:v attached_pic {}",
                                     sound.string(), picture.string(), cover.string())));

  for (const fs::path& path : {sound, cover}) {
    const auto info = probe(path);
    ASSERT_FALSE(info) << path;
    EXPECT_EQ(info.error().code, ErrorCode::Unsupported);
    EXPECT_THAT(info.error().message, HasSubstr("has sound but no picture"));
  }
}

TEST_F(VideoFile, AVideoWithoutFramesIsAnError) {
  const fs::path path = folder_ / "none.mp4";
  run_ffmpeg("-f lavfi -i color=s=32x32 -frames:v 0 -c:v libx264 " + path.string());
  ASSERT_TRUE(fs::exists(path));

  const auto info = probe(path, {.count_frames = true});

  ASSERT_FALSE(info);
  EXPECT_THAT(info.error().message, HasSubstr(path.string()));
}

TEST_F(VideoFile, WhatIsNoVideoIsNamed) {
  ASSERT_TRUE(files::write_atomic(folder_ / "text.txt", std::string(5000, 'x')));
  ASSERT_TRUE(files::write_atomic(folder_ / "empty.mp4", std::string_view()));
  const std::string target = clip().string();
  ASSERT_TRUE(files::write_atomic(folder_ / "list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" +
                                                             target + "\n#EXT-X-ENDLIST\n"));
  ASSERT_TRUE(files::write_atomic(folder_ / "list.ffconcat", "ffconcat version 1.0\nfile 'clip.mp4'\n"));

  EXPECT_FALSE(probe(folder_ / "text.txt"));
  EXPECT_EQ(probe(folder_ / "empty.mp4").error().code, ErrorCode::Corrupt);
  EXPECT_EQ(probe(folder_ / "absent.mp4").error().code, ErrorCode::NotFound);
  EXPECT_EQ(probe(folder_.path()).error().code, ErrorCode::InvalidArgument);
  EXPECT_FALSE(probe(folder_ / "list.m3u8"));
  EXPECT_FALSE(probe(folder_ / "list.ffconcat"));
  EXPECT_EQ(probe("http:example").error().code, ErrorCode::NotFound);
}

TEST_F(VideoFile, LargePicturesAreRefused) {
  const auto reader = VideoReader::open(clip(), {.max_pixels = 64 * 48 - 1});

  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::Unsupported);
  EXPECT_THAT(reader.error().message, HasSubstr("64 x 48, more than the limit of 3071 pixels"));
}

TEST_F(VideoFile, NothingIsPrintedAndComplaintsAreKept) {
  const fs::path path = clip("cut.mp4", 120);
  cut(path, 0.6);

  ::testing::internal::CaptureStderr();
  const auto info = probe(path, {.count_frames = true});
  const std::string printed = ::testing::internal::GetCapturedStderr();

  EXPECT_EQ(printed, "");
  ASSERT_TRUE(info);
  EXPECT_FALSE(info->notes.empty());
  EXPECT_LE(info->notes.size(), 16U);
}

TEST_F(VideoFile, LargePicturesAreMeasuredButNotGivenWhereThatIsAskedFor) {
  auto reader = VideoReader::open(clip(), {.max_pixels = 64 * 48 - 1, .opens_too_large = true});

  ASSERT_TRUE(reader) << reader.error().text();
  EXPECT_EQ(reader->info().width, 64);
  EXPECT_FALSE(reader->next());
}

// It was called truncated, and its pictures so far were taken for all.
TEST_F(VideoFile, ADiskThatErrsIsNoEndOfTheFile) {
  const fs::path path = folder_ / "long.mp4";
  ASSERT_TRUE(write_video(path, drifting_clip(320, 240, 90), {.width = 320, .height = 240, .crf = 0}));
  ASSERT_GT(fs::file_size(path), 1U << 20);
  auto in_order = VideoReader::open(path);
  auto by_number = VideoReader::open(path);
  ASSERT_TRUE(in_order && by_number);
  ASSERT_EQ(test::break_reads(path), 2);

  const auto frames = read_all(*in_order);
  const auto frame = by_number->frames(std::vector<int64_t>{60});

  for (const Error* error : {frames ? nullptr : &frames.error(), frame ? nullptr : &frame.error()}) {
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code, ErrorCode::Unavailable);
    EXPECT_EQ(error->message, "cannot read video " + path.string() + ": Input/output error");
  }
}

TEST_F(VideoFile, TooManyOpenFilesAreNoFaultOfTheVideo) {
  const fs::path path = clip();
  const test::DescriptorLimit limit(0);

  const auto reader = VideoReader::open(path);

  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::Exhausted) << reader.error().text();
}

}  // namespace
}  // namespace zt::media
