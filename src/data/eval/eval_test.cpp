// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "data/eval/choose_clips.hpp"
#include "data/eval/files.hpp"
#include "data/eval/report.hpp"
#include "data/eval/truth.hpp"
#include "data/ingest/ingest.hpp"
#include "data/puppet/synth.hpp"
#include "image/draw.hpp"
#include "image/file.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/huge_videos.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using quality::Metric;
using ::testing::HasSubstr;

quality::ClipScores scores(double psnr) {
  quality::ClipScores out{std::vector<std::optional<double>>(quality::metric_infos().size())};
  out.values[static_cast<size_t>(Metric::Psnr)] = psnr;
  return out;
}

EvalReport small_report() {
  EvalReport report;
  report.clips = {{"a", "a.mp4"}, {"b", ""}};
  report.groups = {{"generated", "by the run", {scores(20), scores(22)}},
                   {"baseline", "", {scores(19), scores(20)}}};
  add_comparison(report, "generated", "baseline", Metric::Psnr);
  return report;
}

TEST(EvalReport, SurvivesTheRoundTripThroughJson) {
  const EvalReport report = small_report();
  const auto back = parse_eval_report(to_json(report));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(to_json(*back), to_json(report));
}

// By hand: differences 1 and 2, mean 1.5; t for one degree of freedom 12.706, standard error 0.5.
TEST(EvalReport, ComparesClipByClip) {
  const EvalReport report = small_report();
  ASSERT_EQ(report.comparisons.size(), 1U);
  EXPECT_DOUBLE_EQ(report.comparisons[0].t.mean, 1.5);
  EXPECT_NEAR(report.comparisons[0].t.low, 1.5 - 12.706 * 0.5, 1e-3);
}

TEST(EvalReport, RefusesDamagedText) {
  EXPECT_FALSE(parse_eval_report("{"));
  EXPECT_FALSE(parse_eval_report("{\"version\": 1}"));
  EXPECT_EQ(parse_eval_report("{\"version\": 2}").error().code, ErrorCode::Unsupported);
}

TEST(EvalReport, TableNamesMeasuresAndTheirConventions) {
  const std::string table = eval_table(small_report());
  EXPECT_THAT(table, HasSubstr("PSNR [dB]"));
  EXPECT_THAT(table, HasSubstr("21.000"));
  EXPECT_THAT(table, HasSubstr("10 log10(255^2 / mse)"));
}

TEST(EvalFiles, JudgesVideosAgainstTheirTruth) {
  const test::TempFolder folder;
  const std::vector<image::Image> grey(3, image::filled(32, 32, {100, 100, 100})),
      brighter(3, image::filled(32, 32, {150, 150, 150}));
  const std::string a = (folder.path() / "a.mp4").string(), b = (folder.path() / "b.mp4").string();
  const media::VideoWriterOptions options{.width = 32, .height = 32, .crf = 0};
  ASSERT_TRUE(media::write_video(a, grey, options));
  ASSERT_TRUE(media::write_video(b, brighter, options));
  config::EvalJob job;
  job.results = {a, b};
  job.truths = {a, a};

  const auto report = eval_files(job);

  ASSERT_TRUE(report) << report.error().text();
  const auto& clips = report->groups.at(0).clips;
  EXPECT_EQ(*clips[0][Metric::Psnr], 100);
  // 10 log10(255^2 / 50^2), within what limited-range YUV rounds.
  EXPECT_NEAR(*clips[1][Metric::Psnr], 14.15, 0.3);
  job.truths = {a};
  EXPECT_EQ(eval_files(job).error().code, ErrorCode::InvalidArgument);
}

// The square of quality/score_test.cpp, whose measures are computed there by hand: 8 px wide, 2 px to the
// right a frame; the result shows it 2 px further.
class EvalFilesWithMasks : public testing::Test {
 protected:
  using Pictures = std::vector<image::Image>;
  EvalFilesWithMasks() {
    job_.results = {write("result.mp4", square(2))};
    job_.truths = {write("truth.mp4", square(0))};
    Pictures masks;
    for (int t = 0; t < 3; ++t) {
      masks.push_back(image::filled(32, 24, {0, 0, 0}));
      image::fill_rectangle(masks.back(), {5 + 2 * t, 8}, 8, 8, image::kWhite);
    }
    job_.masks = {write("mask.mp4", masks)};
    job_.backgrounds = {(folder_ / "background.png").string()};
    EXPECT_TRUE(image::write_png(job_.backgrounds[0], kBackground));
  }
  static Pictures square(int offset_x) {
    Pictures frames;
    for (int t = 0; t < 3; ++t) {
      frames.push_back(kBackground);
      image::fill_rectangle(frames.back(), {5 + 2 * t + offset_x, 8}, 8, 8, {200, 200, 200});
    }
    return frames;
  }
  std::string write(const std::string& name, const Pictures& frames) {
    EXPECT_TRUE(media::write_video(folder_ / name, frames, {.width = 32, .height = 24, .crf = 0}));
    return (folder_ / name).string();
  }
  quality::ClipScores judged() {
    const auto report = eval_files(job_);
    if (!report) return ADD_FAILURE() << report.error().text(), scores(0);
    return report->groups.at(0).clips.at(0);
  }

  static inline const image::Image kBackground = image::filled(32, 24, {90, 90, 90});
  test::TempFolder folder_;
  config::EvalJob job_;
};

TEST_F(EvalFilesWithMasks, MeasureTheFigureApart) {
  const quality::ClipScores found = judged();

  EXPECT_DOUBLE_EQ(*found[Metric::MaskIou], 48.0 / 80);  // 6 of 10 columns
  // A quarter of the square shows the background, 110 levels off.
  EXPECT_NEAR(*found[Metric::ForegroundPsnr], 10 * std::log10(65025.0 / (12100.0 / 4)), 0.1);
  // Background in both masks, and of another colour in the next frame: the columns 15 and 16, then 17 and 18,
  // become figure; those of 5 to 8 are in one of the two masks. 2 x 8 of 32 x 24 - 10 x 8 pixels, each by
  // 110.
  EXPECT_NEAR(*found[Metric::Flicker], 110.0 * 16 / 688, 0.1);
}

TEST_F(EvalFilesWithMasks, GiveNoIouWithoutABackground) {
  job_.backgrounds.clear();

  const quality::ClipScores found = judged();

  EXPECT_FALSE(found[Metric::MaskIou]);
  EXPECT_TRUE(found[Metric::ForegroundPsnr]);
}

// It said 25 levels whatever was asked for, and nothing ever used 25.
TEST_F(EvalFilesWithMasks, SayTheThresholdThatTheyUse) {
  const auto usual = eval_files(job_);
  job_.mask_threshold = 0.5;  // 128 levels: the square differs by 110
  const auto high = eval_files(job_);

  ASSERT_TRUE(usual && high);
  EXPECT_EQ(*high->groups[0].clips[0][Metric::MaskIou], 0);
  EXPECT_THAT(eval_table(*usual), HasSubstr("mask threshold: 38 of 255 levels"));
  EXPECT_THAT(eval_table(*high), HasSubstr("mask threshold: 128 of 255 levels"));
  EXPECT_THAT(to_json(*high), HasSubstr("mask threshold: 128 of 255 levels"));
  EXPECT_EQ(parse_eval_report(to_json(*high))->mask_threshold_levels, 128);
}

TEST_F(EvalFilesWithMasks, AreRefusedWhereAFileIsCutShort) {
  const fs::path result = write("result.mp4", test::drifting_clip(32, 24, 20));
  job_.truths = {write("truth.mp4", test::drifting_clip(32, 24, 20))};
  job_.masks.clear();
  fs::resize_file(result, fs::file_size(result) * 6 / 10);

  const auto report = eval_files(job_);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(report.error().message, HasSubstr("result.mp4 ends early"));
}

// Its frames were read until the kernel ended the program.
TEST(EvalFiles, SaysThatAFilmDoesNotFitIntoMemoryBeforeItIsRead) {
  const test::TempFolder folder;
  test::make_huge_videos(folder.path(), 1);
  const std::string huge = (folder / "0.y4m").string();
  fs::resize_file(huge, uint64_t{400} << 30);  // 4266 frames of zeros, which take no room either
  config::EvalJob job;
  job.results = job.truths = {huge};

  const auto report = eval_files(job);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(report.error().message, HasSubstr("every frame of " + huge));
}

ClipIndex index_of(const std::vector<std::pair<std::string, int64_t>>& splits_and_frames) {
  ClipIndex index;
  for (const auto& [split, num_frames] : splits_and_frames) {
    ClipRecord clip;
    clip.id = std::to_string(index.clips.size());
    clip.split = split;
    clip.num_frames = num_frames;
    index.clips.push_back(std::move(clip));
  }
  return index;
}

TEST(EvalClips, AreTheFirstOfTheSplitsThatLeaveAFrameToJudge) {
  const ClipIndex index = index_of({{"train", 8}, {"val", 1}, {"val", 2}, {"val", 8}, {"val", 1}});

  const auto chosen = choose_clips(index, {"val"}, 2);

  ASSERT_TRUE(chosen);
  ASSERT_EQ(chosen->index.clips.size(), 2U);
  EXPECT_EQ(chosen->index.clips[0].id, "2");
  EXPECT_EQ(chosen->index.clips[1].id, "3");
  ASSERT_EQ(chosen->left_out.size(), 1U);
  EXPECT_EQ(chosen->left_out[0].id, "1");
  EXPECT_EQ(choose_clips(index_of({{"val", 1}}), {}, 2).error().code, ErrorCode::InvalidArgument);
}

// "no clip of two frames or more in the splits asked for", where nobody had asked for any.
TEST(EvalClips, OfASplitThatIsNotThereNamesThoseThatAre) {
  const auto chosen = choose_clips(index_of({{"train", 8}, {"val", 8}}), config::EvalJob{}.splits, 2);

  ASSERT_FALSE(chosen);
  EXPECT_THAT(chosen.error().message, HasSubstr("(--split): val_c; the index has train, val"));
}

class EvalTruth : public testing::Test {
 protected:
  EvalTruth() {
    config::SynthJob synth_job;
    synth_job.output = (folder_.path() / "puppets").string();
    synth_job.num_train = 1;
    synth_job.num_val_a = synth_job.num_val_b = 0;
    synth_job.num_val_c = 1;
    synth_job.num_frames = 8;
    synth_job.threads = 1;
    EXPECT_TRUE(synth(synth_job));
    config::IngestJob ingest_job;
    ingest_job.input = synth_job.output;
    const auto ingested = ingest(ingest_job);
    EXPECT_TRUE(ingested) << ingested.error().text();
    index_ = select_split(read_index(ingested->index).value(), "val_c");
  }
  /// Of the puppet at this size.
  ClipTruth truth(int width, int height) {
    LoadSampleOptions options;
    options.width = width;
    options.height = height;
    auto truth = load_truth(index_, 0, options, 100);
    if (!truth) return ADD_FAILURE() << truth.error().text(), ClipTruth();
    return *std::move(truth);
  }

  test::TempFolder folder_;
  ClipIndex index_;
};

TEST_F(EvalTruth, OfAPuppetHasMasksTailBackgroundAndJoints) {
  const ClipTruth whole = truth(64, 64);

  EXPECT_EQ(whole.sample.targets.size(), 7U);
  EXPECT_EQ(whole.tail_masks.size(), 7U);
  const auto itself = quality::score_clip(pair_with(whole, whole.sample.targets, 0.15));
  ASSERT_TRUE(itself) << itself.error().text();
  EXPECT_EQ(*(*itself)[Metric::Psnr], 100);
  EXPECT_EQ(*(*itself)[Metric::PoseError], 0);
  EXPECT_EQ(*(*itself)[Metric::TailTemporalError], 0);
  EXPECT_GT(*(*itself)[Metric::MaskIou], 0.75);
}

// Pose error and the tail's temporal error were missing without a word where the run had another size.
TEST_F(EvalTruth, OfAnotherSizeHasTheLabelsOfThePartThatItShows) {
  const ClipTruth whole = truth(64, 64), wide = truth(128, 96);  // rows 8 to 55, every pixel twice

  ASSERT_EQ(wide.tail_masks.size(), 7U);
  for (size_t f = 0; f < 7; ++f)
    for (int y = 0; y < 96; ++y)
      for (int x = 0; x < 128; ++x)
        ASSERT_EQ(*wide.tail_masks[f].at(x, y), *whole.tail_masks[f].at(x / 2, 8 + y / 2));
  const auto itself = quality::score_clip(pair_with(wide, wide.sample.targets, 0.15));
  ASSERT_TRUE(itself) << itself.error().text();
  EXPECT_EQ(*(*itself)[Metric::PoseError], 0);
  EXPECT_EQ(*(*itself)[Metric::TailTemporalError], 0);
}

TEST_F(EvalTruth, OfAnotherSizeHasJointsWhereThePictureShowsThem) {
  const ClipTruth whole = truth(64, 64), large = truth(128, 128);

  ASSERT_FALSE(whole.joints.at(0).empty());
  ASSERT_EQ(large.joints.at(0).size(), whole.joints.at(0).size());
  for (size_t i = 0; i < whole.joints[0].size(); ++i) {
    EXPECT_NEAR(large.joints[0][i].x, 2 * whole.joints[0][i].x + 0.5, 1e-6);
    EXPECT_NEAR(large.joints[0][i].y, 2 * whole.joints[0][i].y + 0.5, 1e-6);
  }
}

}  // namespace
}  // namespace zt::data
