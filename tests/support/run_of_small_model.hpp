// SPDX-License-Identifier: Apache-2.0
// A test of what is made of a run: one with checkpoints of random weights, in a folder of its own.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/saver.hpp"
#include "config/load.hpp"
#include "contract/run_folder.hpp"
#include "data/ingest/ingest.hpp"
#include "data/puppet/synth.hpp"
#include "generate/load_run.hpp"
#include "models/network_set.hpp"
#include "support/small_model.hpp"
#include "support/temp_folder.hpp"

namespace zt::test {

class RunFolderOfARun : public ::testing::Test {
 protected:
  /// A run of one checkpoint per loss, each at other random weights; with averages that are the weights
  /// plus 1. `motion_levels`: that have motion modules; {} = all.
  std::filesystem::path make_run(const std::string& name, int64_t stage, const std::vector<double>& losses,
                                 bool with_ema, const std::vector<int64_t>& motion_levels = {}) {
    config::Resolved<config::TrainJob> run;
    run.job.stage = stage;
    run.job.model = model_;
    run.job.model.motion.levels = motion_levels;
    run.job.data.width = run.job.data.height = side_px_;
    run.job.data.n_sample_frames = 4;
    static_cast<config::PoseDrawing&>(run.job.data) = drawing_;
    run.job.validation = validation_;
    run.job.precision = precision_;
    run.job.schedule = schedule_;
    const auto folder = contract::RunFolder::create(
        {.runs_folder = folder_.path(), .name = name, .run_yaml = config::freeze(run), .kind = "stage1"});
    EXPECT_TRUE(folder) << folder.error().text();
    const auto codec = models::build_codec(run.job.model, 7).value();
    EXPECT_TRUE(codec->save(folder->path() / "codec"));
    EXPECT_TRUE(
        models::build_image_encoder(run.job.model, 7).value()->save(folder->path() / "image_encoder"));
    checkpoint::Saver saver({.folder = folder->checkpoints(),
                             .run_id = name,
                             .config_digest = "d",
                             .retention = {.keep_last = 9}});
    for (size_t i = 0; i < losses.size(); ++i) {
      models::BuildOptions options;
      options.motion = stage == 2;
      options.seed = i;
      const auto set = models::build_networks(run.job.model, codec->channels(), options).value();
      checkpoint::Snapshot snapshot;
      snapshot.step = static_cast<int64_t>(i + 1);
      snapshot.metrics["val_loss"] = losses[i];
      for (const params::StoredParam& param : set.store->params()) {
        snapshot.tensors.push_back({"param/" + param.info.name, param.value.detach()});
        if (with_ema && param.info.name != without_average_)
          snapshot.tensors.push_back({"ema/" + param.info.name, param.value.detach() + 1});
        if (with_ema && trains_)
          snapshot.tensors.push_back({"optimizer.exp_avg/" + param.info.name, param.value.detach()});
      }
      saver.save(snapshot);
      saver.wait();
    }
    return folder->path();
  }

  /// The job of judging a stage-2 run by so many clips of puppets.
  config::EvalJob eval_job(int64_t num_clips) {
    config::SynthJob synth;
    synth.output = (folder_.path() / "puppets").string();
    synth.num_train = 1;
    synth.num_val_a = synth.num_val_b = 0;
    synth.num_val_c = num_clips;
    synth.num_frames = 8;
    synth.threads = 1;
    EXPECT_TRUE(data::synth(synth));
    config::IngestJob ingest;
    ingest.input = synth.output;
    const auto ingested = data::ingest(ingest);
    EXPECT_TRUE(ingested) << ingested.error().text();
    config::EvalJob job;
    job.run = make_run("stage2", 2, {0.5}, false).string();
    job.index = ingested->index.string();
    job.num_frames = 5;
    job.steps = 1;
    job.guidance_scale = 1;
    job.same_noise_per_frame = true;
    return job;
  }

  at::Tensor bias(const generate::LoadedModel& model) const {
    return model.networks.store->find("denoising_unet.conv_in.bias")->value.detach();
  }

  const TempFolder folder_;
  config::ModelJob model_ = small_model();
  int64_t side_px_ = 64;            ///< of the pictures that runs trained on
  std::string without_average_;     ///< a parameter
  config::PrecisionJob precision_;  ///< that runs trained in
  config::ScheduleJob schedule_;    ///< likewise
  config::PoseDrawing drawing_;     ///< likewise
  config::ValidationJob validation_;
  bool trains_ = false;  ///< whether checkpoints have moments
};

}  // namespace zt::test
