// SPDX-License-Identifier: Apache-2.0
// A run folder as generation and evaluation read it: frozen configuration, checkpoints with and without
// averages.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/files/files.hpp"
#include "base/process/resources.hpp"
#include "data/clip_index.hpp"
#include "data/eval/report.hpp"
#include "generate/load_run.hpp"
#include "generate/run_eval.hpp"
#include "generate/run_generate.hpp"
#include "image/file.hpp"
#include "media/video_reader.hpp"
#include "models/network_set.hpp"
#include "support/run_of_small_model.hpp"
#include "support/small_model.hpp"
#include "tensor/from_entry.hpp"
#include "weights/tensor_file.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;
using test::RunFolderOfARun;

TEST_F(RunFolderOfARun, GivesTheWeightsOfTheBestCheckpoint) {
  const fs::path run = make_run("walk", 1, {0.5, 0.2, 0.9}, false);

  const auto model = load_run(run, {});

  ASSERT_TRUE(model) << model.error().text();
  EXPECT_EQ(model->source, run.string() + " step 2");
  EXPECT_FALSE(model->has_motion);
  models::BuildOptions options;
  options.seed = 1;
  const auto second = models::build_networks(test::small_model(), 4, options).value();
  EXPECT_TRUE(bias(*model).equal(second.store->find("denoising_unet.conv_in.bias")->value.detach()));
  EXPECT_EQ(model->digest.size(), 32U);
}

TEST_F(RunFolderOfARun, PrefersAveragedWeights) {
  const fs::path run = make_run("walk", 1, {0.5}, true);
  const auto averaged = load_run(run, {}), plain = load_run(run, {.weights = {.use_ema = false}});
  ASSERT_TRUE(averaged && plain);
  EXPECT_TRUE(bias(*averaged).equal(bias(*plain) + 1));
  EXPECT_NE(averaged->digest, plain->digest);
}

TEST_F(RunFolderOfARun, DoesNotMixAveragesWithWeightsOfWhatTrained) {
  without_average_ = "denoising_unet.conv_in.bias";
  EXPECT_TRUE(load_run(make_run("frozen", 1, {0.5}, true), {})) << "a frozen one has none";
  trains_ = true;
  const fs::path run = make_run("torn", 1, {0.5}, true);

  const auto averaged = load_run(run, {});

  ASSERT_FALSE(averaged);
  EXPECT_EQ(averaged.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(averaged.error().message, ::testing::HasSubstr("the first is denoising_unet.conv_in.bias"));
  EXPECT_TRUE(load_run(run, {.weights = {.use_ema = false}}));
}

TEST_F(RunFolderOfARun, GivesTheCheckpointThatIsNamed) {
  const fs::path run = make_run("walk", 1, {0.5, 0.2, 0.9}, false);

  const auto newest = load_run(run, {.weights = {.checkpoint = "newest"}});
  const auto named = load_run(run, {.weights = {.checkpoint = "step-00000001"}});
  const auto absent = load_run(run, {.weights = {.checkpoint = "step-00000004"}});

  ASSERT_TRUE(newest && named);
  EXPECT_EQ(newest->source, run.string() + " step 3");
  EXPECT_EQ(named->source, run.string() + " step 1");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::NotFound);
  EXPECT_THAT(absent.error().message, ::testing::HasSubstr("step-00000001, step-00000002, step-00000003"));
}

TEST_F(RunFolderOfARun, StartsStage2AndLeavesItsMotionModulesAlone) {
  const fs::path run = make_run("walk", 1, {0.5}, false);
  models::BuildOptions options;
  options.motion = true;
  const auto set = models::build_networks(test::small_model(), 4, options).value();

  const auto weights = copy_run_weights(run, {}, *set.store);

  ASSERT_TRUE(weights) << weights.error().text();
  EXPECT_FALSE(weights->missing.empty());
  for (const std::string& name : weights->missing) EXPECT_THAT(name, ::testing::HasSubstr("motion_modules"));
}

TEST_F(RunFolderOfARun, IsNotReadWhereTheResultCannotBeWritten) {
  const fs::path in_the_way = folder_.path() / "file";
  ASSERT_TRUE(files::write_atomic(in_the_way, "no folder"));
  const std::string output = (in_the_way / "result.mp4").string();
  config::GenerateJob generate;
  generate.run = "absent";
  generate.reference_image = "absent.png";
  generate.pose = "absent.mp4";
  generate.output = output;
  config::EvalJob eval;
  eval.run = "absent";
  eval.index = "absent.jsonl";
  eval.output = output;

  const auto generated = run_generate(generate), judged = run_eval(eval);

  ASSERT_FALSE(generated || judged);
  for (const Error& error : {generated.error(), judged.error()})
    EXPECT_THAT(error.text(), ::testing::HasSubstr(in_the_way.string() + " is no folder"));
}

TEST(RunGenerate, RefusesFp16OnTheCpuWithWhatWorks) {
  config::GenerateJob job;
  job.reference_image = "anna.png";
  job.pose = "walk.mp4";
  job.dtype = config::DtypeChoice::Fp16;

  const auto result = run_generate(job);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Unsupported);
  EXPECT_THAT(result.error().text(), ::testing::AllOf(::testing::HasSubstr("--device cuda"),
                                                      ::testing::HasSubstr("--set dtype=fp32")));
}

TEST_F(RunFolderOfARun, IsJudgedAgainstTheTruthAndABaseline) {
  config::EvalJob job = eval_job(2);
  job.baseline_run = make_run("stage1", 1, {0.5}, false).string();

  const auto json = run_eval(job);

  ASSERT_TRUE(json) << json.error().text();
  const auto report = data::parse_eval_report(*json);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->clips.size(), 2U);
  std::vector<std::string> names;
  for (const data::EvalGroup& group : report->groups) names.push_back(group.name);
  EXPECT_EQ(names, (std::vector<std::string>{"generated", "copy_reference", "codec", "wrong_reference",
                                             "baseline"}));
  // Foreground against the copy, the reference gap, and three against the baseline.
  EXPECT_EQ(report->comparisons.size(), 5U);
  const auto video = media::probe(report->clips[0].video, {.count_frames = true});
  ASSERT_TRUE(video) << video.error().text();
  EXPECT_EQ(video->num_frames, 5);
  EXPECT_TRUE(fs::exists(fs::path(job.run) / "eval/eval.json"));
}

// 60 is a multiple of the run's 4 pixels a latent and not of the baseline's 8.
TEST_F(RunFolderOfARun, IsNotJudgedBesideABaselineOfOtherBlocks) {
  side_px_ = 60;
  config::EvalJob job = eval_job(1);
  side_px_ = 64;
  model_.codec.block_out_channels = {8, 8, 8, 8};
  model_.pose_guider.block_out_channels = {8, 8, 8, 8};
  job.baseline_run = make_run("coarse", 1, {0.5}, false).string();

  const auto judged = run_eval(job);

  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(judged.error().message,
              ::testing::HasSubstr("its codec works in blocks of 8 pixels, the run's in blocks of 4, and the "
                                   "clips are 60 x 60"));
}

// What the codec makes of the kept latents is what the video shows.
TEST_F(RunFolderOfARun, KeepsLatentsBesideTheTruth) {
  config::EvalJob job = eval_job(1);
  job.keep_latents = true;

  const auto json = run_eval(job);

  ASSERT_TRUE(json) << json.error().text();
  const auto report = data::parse_eval_report(*json);
  ASSERT_TRUE(report) << report.error().text();
  const auto file =
      weights::TensorFile::open(fs::path(report->clips[0].video).replace_extension(".safetensors"));
  ASSERT_TRUE(file) << file.error().text();
  const at::Tensor latents_FCHW = tensor::from_entry(*file->find("latents"));
  const at::Tensor pictures_FCHW = tensor::from_entry(*file->find("pictures"));
  const auto model = load_run(job.run, {});
  ASSERT_TRUE(model) << model.error().text();
  const at::Tensor decoded_FCHW = model->codec->decode(latents_FCHW);
  ASSERT_EQ(decoded_FCHW.sizes(), pictures_FCHW.sizes());
  EXPECT_EQ(pictures_FCHW.size(0), 5);
  EXPECT_LE(pictures_FCHW.abs().max().item<float>(), 1);
  const double mse = (decoded_FCHW.clamp(-1, 1) - pictures_FCHW).div(2).square().mean().item<double>();
  EXPECT_NEAR(-10 * std::log10(mse), *report->groups.front().clips[0].values[0], 1);
}

/// Of a job of judging: how the clips were made, and their PSNR.
std::pair<std::string, std::optional<double>> judged(const config::EvalJob& job) {
  const auto json = run_eval(job);
  EXPECT_TRUE(json) << json.error().text();
  const auto report = data::parse_eval_report(*json);
  EXPECT_TRUE(report) << report.error().text();
  const data::EvalGroup& generated = report->groups.front();
  return {generated.about, generated.clips.front()[quality::Metric::Psnr]};
}

TEST_F(RunFolderOfARun, IsJudgedInTheNumbersOfItsTraining) {
  precision_ = {.mixed_precision = config::MixedPrecision::Bf16, .bank_dtype = config::BankDtype::Fp16};
  config::EvalJob job = eval_job(1);

  const auto [as_trained, psnr] = judged(job);
  job.dtype = config::DtypeChoice::Bf16;
  job.bank_dtype = config::BankChoice::Fp16;
  const auto [named, named_psnr] = judged(job);
  job.dtype = config::DtypeChoice::Fp32;
  job.bank_dtype = config::BankChoice::Compute;
  const auto [full, full_psnr] = judged(job);

  EXPECT_THAT(as_trained,
              ::testing::EndsWith(
                  "; 1 steps (trailing, betas as_trained), guidance 1, the same noise per frame, seed 42; "
                  "bf16 networks, fp16 bank"));
  EXPECT_THAT(full, ::testing::EndsWith("; fp32 networks, fp32 bank"));
  EXPECT_EQ(psnr, named_psnr);
  EXPECT_NE(psnr, full_psnr);
}

TEST_F(RunFolderOfARun, GeneratesInTheNumbersOfItsTraining) {
  precision_ = {.mixed_precision = config::MixedPrecision::Bf16, .bank_dtype = config::BankDtype::Fp16};
  config::GenerateJob job;
  job.run = eval_job(1).run;
  ASSERT_TRUE(image::write_png(folder_.path() / "anna.png", image::Image(64, 64, 3)));
  job.reference_image = (folder_.path() / "anna.png").string();
  job.pose = (folder_.path() / "puppets/clips/val_c/000000.mp4").string();
  job.output = (folder_.path() / "out.mp4").string();
  job.width = job.height = 64;
  job.length = 2;
  job.steps = 1;
  job.write_panels = false;

  const auto as_trained = run_generate(job);
  job.dtype = config::DtypeChoice::Fp32;
  const auto full = run_generate(job);

  ASSERT_TRUE(as_trained && full) << (as_trained ? full : as_trained).error().text();
  EXPECT_THAT(*as_trained, ::testing::HasSubstr(R"("dtype":"bf16","bank_dtype":"fp16")"));
  EXPECT_THAT(*full, ::testing::HasSubstr(R"("dtype":"fp32","bank_dtype":"fp16")"));
}

// The middle panel is the pose that guides the networks.
TEST_F(RunFolderOfARun, IsGuidedByPosesDrawnAsTheJobSays) {
  const config::EvalJob judged = eval_job(1);
  const data::ClipIndex index = data::read_index(judged.index).value();
  const data::ClipRecord& clip = index.clips.back();
  config::GenerateJob job;
  job.run = judged.run;
  ASSERT_TRUE(image::write_png(folder_.path() / "anna.png", image::Image(64, 64, 3)));
  job.reference_image = (folder_.path() / "anna.png").string();
  job.pose = index.path(clip.keypoints).string();
  job.width = job.height = 64;
  job.length = job.steps = 1;
  std::vector<image::Image> panels;
  for (const auto style : {config::PoseStyle::Reference, config::PoseStyle::Puppet}) {
    job.pose_style = style;
    job.output = (folder_.path() / fmt::format("{}.mp4", config::name(style))).string();
    const auto report = run_generate(job);
    ASSERT_TRUE(report) << report.error().text();
    panels.push_back(
        media::read_frame(folder_.path() / fmt::format("{}_panels.mp4", config::name(style)), 0).value());
  }

  double difference = 0;
  for (int y = 4; y < 64; ++y)
    for (int x = 70; x < 130; ++x) difference += std::abs(panels[0].row(y)[3 * x] - panels[1].row(y)[3 * x]);
  EXPECT_GT(difference / (60 * 60), 1);
}

// Two at once mixed their clips under one report.
TEST_F(RunFolderOfARun, IsJudgedByOneAtATimeInAFolder) {
  const config::EvalJob job = eval_job(1);
  ASSERT_TRUE(files::make_folders(fs::path(job.run) / "eval"));
  const auto held = files::Lock::acquire(fs::path(job.run) / "eval/eval.lock");
  ASSERT_TRUE(held);

  const auto json = run_eval(job);

  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, ErrorCode::Unavailable) << json.error().text();
}

TEST_F(RunFolderOfARun, IsJudgedWithoutTheClipsThatCannotBeRead) {
  const config::EvalJob job = eval_job(3);
  const fs::path videos = folder_.path() / "puppets/clips/val_c";
  fs::remove(videos / "000001.mp4");

  const auto json = run_eval(job);

  ASSERT_TRUE(json) << json.error().text();
  const auto report = data::parse_eval_report(*json);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->clips.size(), 2U);
  ASSERT_EQ(report->left_out.size(), 1U);
  EXPECT_THAT(report->left_out[0].id, ::testing::HasSubstr("000001"));
  EXPECT_THAT(data::eval_table(*report), ::testing::HasSubstr("left out: "));

  for (const char* name : {"000000.mp4", "000002.mp4"}) std::ofstream(videos / name) << "no video";
  const auto none = run_eval(job);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().text(), ::testing::HasSubstr("none of the 3 clips can be read"));

  fs::remove_all(videos);
  const auto gone = run_eval(job);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::Unavailable) << gone.error().text();
}

TEST_F(RunFolderOfARun, IsNotJudgedWhereTheClipsHaveNoRoom) {
  config::EvalJob job = eval_job(1);
  job.num_frames = int64_t{1} << 40;

  const auto json = run_eval(job);

  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(json.error().text(), ::testing::HasSubstr("1 clips of 4 panels"));
}

// Every frame of a clip is held several times, and nothing counted it.
TEST_F(RunFolderOfARun, IsNotJudgedWhereAClipsPicturesDoNotFitIntoMemory) {
  config::EvalJob job = eval_job(1);
  auto index = data::read_index(job.index);
  ASSERT_TRUE(index);
  const auto total = static_cast<int64_t>(resources::memory()->total_bytes);
  job.num_frames = total / (64 * 64 * 24);
  for (data::ClipRecord& clip : index->clips) clip.num_frames = job.num_frames + 1;
  ASSERT_TRUE(data::write_index(job.index, index->clips));

  const auto json = run_eval(job);

  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(json.error().text(), ::testing::HasSubstr("pictures of " + std::to_string(job.num_frames)));
}

}  // namespace
}  // namespace zt::generate
