// SPDX-License-Identifier: Apache-2.0
#include "models/run_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "config/load.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/run_folder.hpp"
#include "support/temp_folder.hpp"

namespace zt::models {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RunModel : public ::testing::Test {
 protected:
  fs::path make_run(const std::string& name, const config::ModelJob& model) {
    config::Resolved<config::TrainJob> run;
    run.job.model = model;
    const auto made = contract::RunFolder::create(
        {.runs_folder = folder_.path(), .name = name, .run_yaml = config::freeze(run)});
    EXPECT_TRUE(made) << made.error().text();
    return made->path();
  }
  static void add_encoder(const fs::path& folder) {
    EXPECT_TRUE(files::make_folders(folder));
    EXPECT_TRUE(files::write_atomic(folder / "config.json", "{}"));
  }
  const test::TempFolder folder_;
};

TEST_F(RunModel, FindsEncodersInTheRunThenInItsStageOneRun) {
  const fs::path stage1 = make_run("one", {}), stage2 = make_run("two", {});
  config::ModelJob job;
  job.stage1_run = stage1;
  job.vae_model_path = "vae";
  add_encoder(stage1 / kRunCodec);
  add_encoder(stage1 / kRunImageEncoder);
  add_encoder(stage2 / kRunImageEncoder);

  const auto located = locate_encoders(stage2, job);

  ASSERT_TRUE(located) << located.error().text();
  EXPECT_EQ(located->vae_model_path, stage1 / kRunCodec);
  EXPECT_EQ(located->image_encoder_path, stage2 / kRunImageEncoder);
}

TEST_F(RunModel, TakesThePathsThatTheStageOneRunWasGiven) {
  config::ModelJob given, job;
  given.vae_model_path = "weights/vae";
  given.image_encoder_path = "weights/clip";
  job.stage1_run = make_run("one", given);
  job.image_encoder_path = "mine";

  const auto located = locate_encoders(/*run=*/{}, job);

  ASSERT_TRUE(located) << located.error().text();
  EXPECT_EQ(located->vae_model_path, "weights/vae");
  EXPECT_EQ(located->image_encoder_path, "mine");
}

TEST_F(RunModel, RefusesAStageOneRunWhoseEncodersAreGone) {
  config::ModelJob job;
  job.stage1_run = make_run("one", {});
  add_encoder(fs::path(job.stage1_run) / kRunCodec);

  const auto located = locate_encoders(/*run=*/{}, job);

  ASSERT_FALSE(located);
  EXPECT_EQ(located.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(located.error().message, HasSubstr("no folder image_encoder/"));
  EXPECT_THAT(located.error().message, HasSubstr("Set model.image_encoder_path"));
}

// A new codec would be worthless to the networks of the checkpoints.
TEST_F(RunModel, RefusesToMakeAgainWhatARunHasTrainedWith) {
  const fs::path run = make_run("one", {});
  add_encoder(run / kRunImageEncoder);
  const auto folder = contract::RunFolder::open(run);
  ASSERT_TRUE(folder->begin_attempt());
  ASSERT_TRUE(locate_encoders(run, {})) << "a launch that saved nothing has nothing to lose";
  ASSERT_TRUE(files::make_folders(folder->checkpoints() / contract::checkpoint_name(7)));

  const auto located = locate_encoders(run, {});

  ASSERT_FALSE(located);
  EXPECT_EQ(located.error().code, ErrorCode::NotFound);
  EXPECT_THAT(located.error().message, HasSubstr((run / kRunCodec).string() + " is gone"));
  EXPECT_THAT(located.error().message, HasSubstr("put a copy back"));
}

TEST_F(RunModel, LeavesWhatARunMakesItselfOpen) {
  const auto located = locate_encoders(make_run("one", {}), {});

  ASSERT_TRUE(located) << located.error().text();
  EXPECT_EQ(located->vae_model_path + located->image_encoder_path, "");
}

}  // namespace
}  // namespace zt::models
