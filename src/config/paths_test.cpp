// SPDX-License-Identifier: Apache-2.0
#include "config/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Paths, StartAtTheBaseUnlessAbsoluteOrEmpty) {
  TrainJob job;
  job.data.index = "index/../index.jsonl";
  job.data.meta_paths = {"a.json", "/data/b.json"};
  job.model.vae_model_path = "";

  make_paths_absolute(job, "/home/anna/dance");

  EXPECT_EQ(job.data.index, "/home/anna/dance/index.jsonl");
  EXPECT_THAT(job.data.meta_paths, ElementsAre("/home/anna/dance/a.json", "/data/b.json"));
  EXPECT_EQ(job.output_dir, "/home/anna/dance/runs");
  EXPECT_EQ(job.model.vae_model_path, "");
  EXPECT_EQ(job.data.splits, TrainJob{}.data.splits);
}

// It became films/index.jsonl beside the link.
TEST(Paths, AFolderAboveALinksTargetIsNotTheOneAboveTheLink) {
  const test::TempFolder folder;
  std::filesystem::create_directories(folder / "disk/films");
  std::filesystem::create_directory_symlink(folder / "disk/films", folder / "films");
  ASSERT_TRUE(files::write_atomic(folder / "disk/index.jsonl", "behind the link"));
  TrainJob job;
  job.data.index = "films/../index.jsonl";

  make_paths_absolute(job, folder.path());

  EXPECT_EQ(files::read(job.data.index).value(), "behind the link");
}

TEST(Paths, AMissingInputIsNamedWithItsKeyAndOrigin) {
  test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "index.jsonl", ""));
  Resolved<TrainJob> resolved;
  resolved.job.output_dir = (folder / "not made yet").string();
  resolved.job.cache.folder = (folder / "not made yet either").string();
  resolved.job.data.index = (folder / "index.jsonl").string();
  EXPECT_TRUE(check_inputs(resolved));

  resolved.job.model.vae_model_path = (folder / "vae").string();
  resolved.origins["model.vae_model_path"] = "job.yaml:3";
  const Status refused = check_inputs(resolved);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::NotFound);
  EXPECT_THAT(refused.error().message,
              HasSubstr("model.vae_model_path: there is no " + (folder / "vae").string() + " (job.yaml:3)"));
}

TEST(Paths, InputsOfAGenerationAreThoseItReads) {
  const test::TempFolder folder;
  const std::string there = folder / "there", gone = folder / "gone";
  ASSERT_TRUE(files::write_atomic(there, ""));
  Resolved<GenerateJob> resolved;
  GenerateJob& job = resolved.job;
  job.reference_image = there;
  job.pose = there;
  EXPECT_TRUE(check_inputs(resolved));

  for (std::string* input : {&job.reference_image, &job.pose, &job.weights, &job.model.mm_path}) {
    const std::string before = std::exchange(*input, gone);
    const Status refused = check_inputs(resolved);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::NotFound);
    EXPECT_THAT(refused.error().message, HasSubstr("there is no " + gone));
    *input = before;
  }
  job.model.mm_path = gone;
  job.run = "walk";
  job.reference_keypoints = gone;
  EXPECT_TRUE(check_inputs(resolved)) << "a run has its networks; nothing is aligned";
  job.align = true;
  EXPECT_FALSE(check_inputs(resolved));
}

TEST(Encoders, ARandomOneIsNoStartUnlessItIsAskedFor) {
  ModelJob model;
  ASSERT_FALSE(require_encoders(model));
  EXPECT_EQ(require_encoders(model).error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(require_encoders(model).error().message,
              HasSubstr("set model.vae_model_path, or model.codec.kind"));
  model.vae_model_path = "vae";
  EXPECT_TRUE(require_encoders(model)) << "an image encoder may be random where all is";
  model.base_model_path = "sd15";
  ASSERT_FALSE(require_encoders(model));
  EXPECT_THAT(require_encoders(model).error().message, HasSubstr("set model.image_encoder_path"));
  model.image_encoder_path = "clip";
  EXPECT_TRUE(require_encoders(model));

  ModelJob linear, random, second;
  linear.codec.kind = CodecKind::Linear;
  random.allow_random_start = true;
  second.stage1_run = "runs/one";
  for (const ModelJob& job : {linear, random, second}) EXPECT_TRUE(require_encoders(job));
}

/// A project folder with an index, and a configuration frozen in it.
class MovedRun : public testing::Test {
 protected:
  void SetUp() override {
    Resolved<TrainJob> resolved;
    resolved.job.data.index = "index.jsonl";
    resolved.job.data.meta_paths = {(folder_ / "elsewhere.json").string()};
    make_paths_absolute(resolved.job, folder_ / "old");
    put("old/index.jsonl", "");
    put("old/runs/dance/run.yaml", freeze(resolved));
  }

  void put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(files::make_folders((folder_ / name).parent_path()));
    ASSERT_TRUE(files::write_atomic(folder_ / name, text));
  }
  std::string at(const std::string& name) { return (folder_ / name).string(); }
  TrainJob thaw_at(const std::string& run) {
    const auto job = thaw_run(folder_ / run / "run.yaml", {at("old/runs/dance"), at(run)});
    EXPECT_TRUE(job) << job.error().text();
    return job ? *job : TrainJob{};
  }
  void move(const std::string& from, const std::string& to) {
    std::filesystem::create_directories((folder_ / to).parent_path());
    std::filesystem::rename(folder_ / from, folder_ / to);
  }

  test::TempFolder folder_;
};

TEST_F(MovedRun, FindsItsInputsWhereTheProjectIsNow) {
  move("old", "far/new");

  const TrainJob job = thaw_at("far/new/runs/dance");

  EXPECT_EQ(job.data.index, at("far/new/index.jsonl"));
  EXPECT_THAT(job.data.meta_paths, ElementsAre(at("elsewhere.json")));
}

TEST_F(MovedRun, MayBeNamedWithASlashAtTheEnd) {
  move("old", "new");

  EXPECT_EQ(thaw_at("new/runs/dance/").data.index, at("new/index.jsonl"));
}

TEST_F(MovedRun, KeepsInputsThatStayedBehind) {
  move("old/runs", "archive/runs");

  EXPECT_EQ(thaw_at("archive/runs/dance").data.index, at("old/index.jsonl"));
}

TEST_F(MovedRun, KeepsInputsThatAreNowhere) {
  std::filesystem::remove(folder_ / "old/index.jsonl");
  move("old", "new");

  EXPECT_EQ(thaw_at("new/runs/dance").data.index, at("old/index.jsonl"));
}

TEST_F(MovedRun, IsAsFrozenWhereItWasMade) {
  EXPECT_EQ(thaw_at("old/runs/dance").data.index, at("old/index.jsonl"));
}

}  // namespace
}  // namespace zt::config
