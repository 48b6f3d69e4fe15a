// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/output.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "generate/pictures/canvas.hpp"
#include "support/temp_folder.hpp"

namespace zt::generate {
namespace {

std::tm evening() {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 10;
  time.tm_mday = 25;
  time.tm_hour = 22;
  time.tm_min = 5;
  return time;
}

// The reference's scripts/pose2vid.py: save_dir_name and the file name under it.
TEST(OutputPaths, FollowTheReferenceWithoutAName) {
  config::GenerateJob job;
  job.reference_image = "refs/anyone-2.png";
  job.pose = "poses/dance_kps.mp4";
  const OutputPaths paths = output_paths(job, evening());
  EXPECT_EQ(paths.panels, "output/20261125/2205--seed_42-512x784/anyone-2_dance_784x512_3_2205.mp4");
  EXPECT_EQ(paths.bare, "output/20261125/2205--seed_42-512x784/anyone-2_dance_784x512_3_2205_result.mp4");
}

// There the networks make 496 x 776.
TEST(OutputPaths, NameTheSizeThatWasAskedForUnderCompatToo) {
  config::GenerateJob job;
  job.compat = config::Compat::Moore;
  job.reference_image = "anna.png";
  job.pose = "walk.mp4";
  job.width = 500;
  job.height = 780;
  EXPECT_EQ(output_paths(job, evening()).panels,
            "output/20261125/2205--seed_42-500x780/anna_walk_780x500_3_2205.mp4");
}

// refs/a/front.png and refs/b/front.png with one pose, or two calls in one minute.
TEST(OutputPaths, OfTheReferencesNamesReplaceNothing) {
  const test::TempFolder folder;
  config::GenerateJob job;
  job.reference_image = "a/front.png";
  job.pose = "walk.mp4";
  job.output_dir = folder.path().string();
  job.width = job.height = 64;
  const OutputPaths first = output_paths(job, evening());
  EXPECT_EQ(spare_results(job, first)->bare, first.bare);
  ASSERT_TRUE(files::make_folders(first.bare.parent_path()));
  ASSERT_TRUE(files::write_atomic(first.bare, "a clip"));

  const OutputPaths second = *spare_results(job, first);
  ASSERT_TRUE(files::write_atomic(second.panels, "panels of a clip"));
  const OutputPaths third = *spare_results(job, first);

  EXPECT_EQ(second.bare.filename(), "front_walk_64x64_3_2205_result_2.mp4");
  EXPECT_EQ(second.panels.filename(), "front_walk_64x64_3_2205_2.mp4");
  EXPECT_EQ(third.bare.filename(), "front_walk_64x64_3_2205_result_3.mp4");
  job.output = first.bare.string();
  EXPECT_EQ(spare_results(job, first)->bare, first.bare) << "who names a file means it";
}

// As of a network disk that no longer answers: a link to itself, which root can't look behind either.
TEST(OutputPaths, OnADiskThatCantSayWhatIsThereAreAnError) {
  const test::TempFolder folder;
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  config::GenerateJob job;
  job.output_dir = (folder.path() / "loop").string();

  const Result<OutputPaths> spared = spare_results(job, output_paths(job, evening()));

  ASSERT_FALSE(spared);
  EXPECT_NE(spared.error().message.find("cannot look at " + job.output_dir), std::string::npos)
      << spared.error().message;
}

TEST(OutputPaths, PutPanelsBesideTheNameGiven) {
  config::GenerateJob job;
  job.output = "a/b.mp4";
  const OutputPaths paths = output_paths(job, evening());
  EXPECT_EQ(paths.bare, "a/b.mp4");
  EXPECT_EQ(paths.panels, "a/b_panels.mp4");
}

// 3 * (5458 + 2) + 2 = 16382.
TEST(Panels, WiderThanAVideoMayBeAreRefusedByTheirKey) {
  config::GenerateJob job;
  job.width = 5458;
  EXPECT_TRUE(check_panels(job));
  job.width = 8192;
  const Status wide = check_panels(job);
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().code, ErrorCode::InvalidConfig);
  EXPECT_NE(wide.error().message.find("are 24584 pixels"), std::string::npos) << wide.error().message;
  EXPECT_NE(wide.error().message.find("write_panels=false, or a width of at most 5458"), std::string::npos);
  job.write_panels = false;
  EXPECT_TRUE(check_panels(job));
}

TEST(OutputFps, StaysAFractionAndFollowsInterpolation) {
  config::GenerateJob job;
  EXPECT_EQ(output_fps(job, {30000, 1001}), (media::Rational{30000, 1001}));
  EXPECT_EQ(output_fps(job, {0, 1}), (media::Rational{30, 1}));
  job.interpolation_factor = 3;
  EXPECT_EQ(output_fps(job, {8, 1}), (media::Rational{24, 1}));
  job.fps = 12.5;
  EXPECT_EQ(output_fps(job, {8, 1}), (media::Rational{75, 2}));
}

TEST(Canvas, RoundsUpWithABorderOrDownAsTheReference) {
  const Canvas padded = make_canvas(510, 785, 8, config::Compat::None).value();
  EXPECT_EQ(padded.width, 510);
  EXPECT_EQ(padded.height, 785);
  EXPECT_EQ(padded.padded_width, 512);
  EXPECT_EQ(padded.padded_height, 792);
  const Canvas cut = make_canvas(510, 785, 8, config::Compat::Moore).value();
  EXPECT_EQ(cut.width, 504);
  EXPECT_EQ(cut.padded_height, 784);
  EXPECT_FALSE(make_canvas(4, 4, 8, config::Compat::Moore));
}

// Footage was lost to `--pose a.mp4 -o a.mp4`.
TEST(OutputPaths, NeverTakeThePlaceOfWhatTheClipIsMadeFrom) {
  const test::TempFolder folder;
  for (const char* name : {"ref.png", "pose.mp4", "clip_panels.mp4"})
    ASSERT_TRUE(files::write_atomic(folder / name, "footage"));
  std::filesystem::create_hard_link(folder / "pose.mp4", folder / "other-name.mp4");
  config::GenerateJob job;
  job.reference_image = folder / "ref.png";
  job.pose = folder / "pose.mp4";
  const auto is_spared = [&](const std::string& bare, const std::string& panels) {
    return spare_inputs(job, {folder / bare, folder / panels}).has_value();
  };

  EXPECT_TRUE(is_spared("new.mp4", "new_panels.mp4"));
  EXPECT_FALSE(is_spared("pose.mp4", "pose_panels.mp4"));
  EXPECT_FALSE(is_spared("other-name.mp4", "new_panels.mp4"));
  EXPECT_FALSE(is_spared("ref.png", "new_panels.mp4"));
  job.pose = folder / "clip_panels.mp4";
  EXPECT_FALSE(is_spared("clip.mp4", "clip_panels.mp4"));
  job.write_panels = false;
  EXPECT_TRUE(is_spared("clip.mp4", "clip_panels.mp4"));
}

TEST(Canvas, RepeatsAPhotographsEdgeAndPutsPosesOnBlack) {
  const Canvas canvas = make_canvas(3, 2, 4, config::Compat::None).value();
  const image::Image white = image::filled(3, 2, image::kWhite);
  const at::Tensor photo = place_photo(canvas, white), poses = place_poses(canvas, std::vector{white});
  EXPECT_EQ(photo.sizes(), (std::vector<int64_t>{3, 4, 4}));
  EXPECT_EQ(photo.min().item<float>(), 1);
  EXPECT_EQ(poses.sizes(), (std::vector<int64_t>{3, 1, 4, 4}));
  EXPECT_EQ(poses.sum().item<float>(), 3 * 3 * 2);
  EXPECT_EQ(cut_out(canvas, photo), white);
}

// The reference's save_videos_grid: (x * 255).numpy().astype(np.uint8).
TEST(Canvas, RoundsToTheNearestByteOrTruncatesAsTheReference) {
  const Canvas canvas = make_canvas(1, 1, 1, config::Compat::None).value();
  const at::Tensor picture = at::tensor({100.7, 100.2, 255.0}).div(255).reshape({3, 1, 1});
  const auto bytes = [&](config::PixelRounding rounding) {
    return cut_out(canvas, picture, rounding).pixels;
  };
  EXPECT_EQ(bytes(config::PixelRounding::Nearest), (std::vector<uint8_t>{101, 100, 255}));
  EXPECT_EQ(bytes(config::PixelRounding::Truncate), (std::vector<uint8_t>{100, 100, 255}));
}

}  // namespace
}  // namespace zt::generate
