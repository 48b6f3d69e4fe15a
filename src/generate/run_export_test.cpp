// SPDX-License-Identifier: Apache-2.0
// Runs that are exported.
#include "generate/run_export.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fstream>
#include <map>

#include "base/process/resources.hpp"
#include "config/load.hpp"
#include "config/scheduler_file.hpp"
#include "config/trained_as_file.hpp"
#include "data/clip_index.hpp"
#include "data/eval/report.hpp"
#include "generate/budget.hpp"
#include "generate/load_run.hpp"
#include "generate/run_generate.hpp"
#include "image/file.hpp"
#include "media/video_reader.hpp"
#include "support/run_of_small_model.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;
using test::RunFolderOfARun;

TEST_F(RunFolderOfARun, IsExportedAsAFolderThatGenerateReads) {
  const fs::path run = make_run("walk", 2, {0.5}, false);
  const auto model = load_run(run, {});
  ASSERT_TRUE(model) << model.error().text();
  for (const auto layout : {config::ExportLayout::Diffusers, config::ExportLayout::Moore}) {
    const fs::path output = folder_.path() / std::string(config::name(layout));

    const auto report = run_export({.run = run.string(), .output = output.string() + "/", .layout = layout});

    ASSERT_TRUE(report) << report.error().text();
    config::GenerateJob job;
    job.weights = output.string();
    // The files of Moore's layout do not say how large the networks are.
    if (layout == config::ExportLayout::Moore) job.model = test::small_model();
    const auto read = load_model(job, {});
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->digest, model->digest);
  }
}

// Networks that predict the picture make noise when they are taken for those of v, the default.
TEST_F(RunFolderOfARun, IsExportedWithItsNoiseSchedule) {
  schedule_ = {.num_train_timesteps = 500,
               .beta_end = 0.02,
               .beta_schedule = config::BetaSchedule::Linear,
               .enable_zero_snr = false,
               .prediction_type = config::PredictionType::Sample};
  const fs::path run = make_run("walk", 2, {0.5}, false);
  for (const auto layout : {config::ExportLayout::Diffusers, config::ExportLayout::Moore}) {
    const fs::path output = folder_.path() / std::string(config::name(layout));
    ASSERT_TRUE(run_export({.run = run.string(), .output = output.string(), .layout = layout}));
    config::Resolved<config::GenerateJob> read;

    EXPECT_TRUE(config::take_scheduler(output, read));

    const config::ScheduleJob& schedule = read.job.schedule;
    EXPECT_EQ(schedule.num_train_timesteps, 500);
    EXPECT_EQ(schedule.beta_start, schedule_.beta_start);
    EXPECT_EQ(schedule.beta_end, 0.02);
    EXPECT_EQ(schedule.beta_schedule, config::BetaSchedule::Linear);
    EXPECT_FALSE(schedule.enable_zero_snr);
    EXPECT_EQ(schedule.prediction_type, config::PredictionType::Sample);
  }
}

TEST_F(RunFolderOfARun, IsExportedWithWhatItWasTrainedAs) {
  drawing_ = {.pose_style = config::PoseStyle::Puppet, .draw_hands = true, .draw_face = false};
  validation_.steps = 3;
  validation_.timestep_spacing = config::TimestepSpacing::Leading;
  const fs::path run = make_run("walk", 2, {0.5}, false);
  for (const auto layout : {config::ExportLayout::Diffusers, config::ExportLayout::Moore}) {
    const fs::path output = folder_.path() / std::string(config::name(layout));
    ASSERT_TRUE(run_export({.run = run.string(), .output = output.string(), .layout = layout}));
    config::Resolved<config::GenerateJob> as_diffusers_samples;

    const auto read = config::read_trained_as(output);

    ASSERT_TRUE(read && *read);
    const config::TrainJob& job = (*read)->job;
    EXPECT_EQ(job.stage, 2);
    EXPECT_EQ(job.data.width, side_px_);
    EXPECT_EQ(job.data.n_sample_frames, 4);
    EXPECT_EQ(job.data.pose_style, config::PoseStyle::Puppet);
    EXPECT_FALSE(job.data.draw_face);
    EXPECT_EQ(job.validation.steps, 3);
    EXPECT_TRUE(config::take_scheduler(output, as_diffusers_samples));
    EXPECT_EQ(as_diffusers_samples.job.timestep_spacing, config::TimestepSpacing::Leading);
  }
}

// What the job says of the schedule does not count beside a run.
TEST_F(RunFolderOfARun, LeavesItsOwnScheduleInTheClip) {
  schedule_.prediction_type = config::PredictionType::Sample;
  const config::EvalJob judged = eval_job(1);
  const data::ClipIndex index = data::read_index(judged.index).value();
  const data::ClipRecord& clip = index.clips.back();
  config::GenerateJob job;
  job.run = judged.run;
  job.reference_image = (folder_.path() / "reference.png").string();
  EXPECT_TRUE(image::write_png(job.reference_image, media::read_frame(index.path(clip.video), 0).value()));
  job.pose = index.path(clip.keypoints).string();
  job.output = (folder_.path() / "clip.mp4").string();
  job.width = job.height = 64;
  job.length = 2;
  job.steps = 1;
  job.guidance_scale = 1;
  job.write_panels = false;

  const auto report = run_generate(job);

  ASSERT_TRUE(report) << report.error().text();
  const std::string config = media::probe(job.output)->metadata.at("config");
  EXPECT_THAT(config, ::testing::HasSubstr("prediction_type: sample"));
}

TEST_F(RunFolderOfARun, IsExportedToAsMuchDiskAsIsAskedFor) {
  const fs::path run = make_run("walk", 2, {0.5}, false);
  const fs::path output = folder_.path() / "exported";
  std::vector<resources::Demand> asked;
  LoadModelOptions load;
  load.before_networks = [&](const ModelOutline& model) -> Status {
    asked = export_demands(model);
    return {};
  };
  ASSERT_TRUE(load_run(run, load));

  ASSERT_TRUE(run_export({.run = run.string(), .output = output.string()}));

  // Each file: 8 bytes, the header of that length, the tensors.
  std::map<std::string, uint64_t> written;
  for (const auto& item : fs::recursive_directory_iterator(output)) {
    if (item.path().extension() != ".safetensors") continue;
    std::ifstream file(item.path(), std::ios::binary);
    uint64_t header_bytes = 0;
    ASSERT_TRUE(file.read(reinterpret_cast<char*>(&header_bytes), sizeof header_bytes));
    const std::string part = item.path().parent_path().filename().string();
    const bool is_encoder = part == "vae" || part == "image_encoder";
    written[is_encoder ? part : "networks"] += item.file_size() - sizeof header_bytes - header_bytes;
  }
  ASSERT_EQ(asked.size(), 3U);
  // diffusers' neutral head, and one table of positions where the networks have two.
  const auto networks = static_cast<double>(written["networks"]);
  EXPECT_NEAR(static_cast<double>(asked[0].bytes), networks, 0.02 * networks);
  EXPECT_EQ(asked[1].bytes, written["vae"]);
  EXPECT_EQ(asked[2].bytes, written["image_encoder"]);
}

// As of somebody's notes beside the exports.
TEST_F(RunFolderOfARun, IsExportedBesideAFolderOfAnyName) {
  const fs::path run = make_run("walk", 1, {0.5}, false);
  fs::create_directories(folder_.path() / "exports/probe");

  const auto report = run_export({.run = run.string(), .output = (folder_.path() / "exports/one").string()});

  EXPECT_TRUE(report) << report.error().text();
}

TEST_F(RunFolderOfARun, IsNotExportedOverAnything) {
  const fs::path run = make_run("walk", 1, {0.5}, false);
  const fs::path output = folder_.path() / "exported";
  fs::create_directories(output / "kept");

  const auto report = run_export({.run = run.string(), .output = output.string()});

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::AlreadyExists);
  fs::remove(output / "kept");
  EXPECT_TRUE(run_export({.run = run.string(), .output = output.string()})) << "an empty folder is replaced";
  EXPECT_TRUE(fs::exists(output / "reference_unet/config.json"));
}

TEST_F(RunFolderOfARun, LeavesNothingOfAnExportThatFailed) {
  const fs::path run = make_run("walk", 2, {0.5}, false, {1});
  const fs::path exports = folder_.path() / "exports";

  // MotionAdapter has motion modules on every level.
  const auto report = run_export({.run = run.string(), .output = (exports / "one").string()});

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Unsupported);
  EXPECT_TRUE(fs::is_empty(exports));
}

}  // namespace
}  // namespace zt::generate
