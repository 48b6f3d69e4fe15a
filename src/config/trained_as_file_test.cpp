// SPDX-License-Identifier: Apache-2.0
#include "config/trained_as_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

/// Nothing in it is a default.
TrainJob trained_job() {
  TrainJob job;
  job.stage = 2;
  job.data.width = 96;
  job.data.height = 64;
  job.data.n_sample_frames = 6;
  job.data.pose_style = PoseStyle::Puppet;
  job.data.draw_hands = job.data.draw_face = false;
  job.model.motion.max_len = 48;
  job.schedule.num_train_timesteps = 500;
  job.schedule.beta_end = 0.02;
  job.schedule.enable_zero_snr = false;
  job.schedule.prediction_type = PredictionType::Sample;
  job.schedule.snr_gamma = 5.5;
  job.validation.steps = 3;
  job.validation.guidance_scale = 1.25;
  job.validation.same_noise_per_frame = true;
  job.validation.timestep_spacing = TimestepSpacing::Leading;
  job.validation.beta_schedule = SamplerBetas::Linear;
  return job;
}

/// A folder of weights.
class TrainedAsFile : public testing::Test {
 protected:
  void write(const std::string& text) {
    ASSERT_TRUE(files::write_atomic(trained_as_file(folder_.path()), text));
  }
  std::string file() const { return trained_as_file(folder_.path()).string(); }

  const test::TempFolder folder_;
};

TEST_F(TrainedAsFile, SaysWhatAGenerationDependsOn) {
  write(trained_as_json(trained_job()));

  const auto read = read_trained_as(folder_.path());

  ASSERT_TRUE(read) << read.error().text();
  const TrainJob& job = (*read)->job;
  EXPECT_EQ(job.stage, 2);
  EXPECT_EQ(job.data.width, 96);
  EXPECT_EQ(job.data.height, 64);
  EXPECT_EQ(job.data.n_sample_frames, 6);
  EXPECT_EQ(job.data.pose_style, PoseStyle::Puppet);
  EXPECT_FALSE(job.data.draw_hands || job.data.draw_face);
  EXPECT_EQ(job.model.motion.max_len, 48);
  EXPECT_EQ(job.schedule.num_train_timesteps, 500);
  EXPECT_EQ(job.schedule.beta_end, 0.02);
  EXPECT_FALSE(job.schedule.enable_zero_snr);
  EXPECT_EQ(job.schedule.prediction_type, PredictionType::Sample);
  EXPECT_EQ(job.schedule.snr_gamma, 5.5);
  EXPECT_EQ(job.validation.steps, 3);
  EXPECT_EQ(job.validation.guidance_scale, 1.25);
  EXPECT_TRUE(job.validation.same_noise_per_frame);
  EXPECT_EQ(job.validation.timestep_spacing, TimestepSpacing::Leading);
  EXPECT_EQ(job.validation.beta_schedule, SamplerBetas::Linear);
  EXPECT_EQ((*read)->name, folder_.path().string());
  EXPECT_EQ((*read)->origin, file());
}

TEST_F(TrainedAsFile, GivesATrainingWhatWasLeftOpen) {
  write(trained_as_json(trained_job()));
  auto resolved =
      load<TrainJob>({{}, {"data.draw_face=true", "validation.steps=9", "model.allow_random_start=true"}})
          .value();

  const auto lines = take_trained_as(folder_.path(), resolved);

  ASSERT_TRUE(lines) << lines.error().text();
  EXPECT_EQ(resolved.job.data.pose_style, PoseStyle::Puppet);
  EXPECT_EQ(resolved.job.data.width, 96);
  EXPECT_TRUE(resolved.job.data.draw_face) << "written by somebody";
  EXPECT_EQ(resolved.job.validation.steps, 9) << "likewise";
  EXPECT_EQ(resolved.job.validation.guidance_scale, 1.25);
  EXPECT_THAT(*lines, ElementsAre(HasSubstr("data.pose_style=puppet")));
  EXPECT_THAT(resolved.origins.at("data.width"), EndsWith("trained_as.json:4"));
}

// As of published weights.
TEST_F(TrainedAsFile, ThatIsNotThereChangesNothing) {
  auto resolved = load<TrainJob>({}).value();

  EXPECT_FALSE(read_trained_as(folder_.path()).value());
  EXPECT_THAT(take_trained_as(folder_.path(), resolved).value(), IsEmpty());

  EXPECT_EQ(resolved.origins.at("data.pose_style"), "default");
}

// Half of such a file, or a file of another kind, would guide the networks wrongly without a word.
TEST_F(TrainedAsFile, OfAnythingElseIsRefusedAtItsPlace) {
  std::string strange_style = trained_as_json(trained_job());
  strange_style.replace(strange_style.find("puppet"), 6, "oil");
  std::string one_key_more = trained_as_json(trained_job());
  one_key_more.replace(one_key_more.find("\"stage\""), 7, "\"seed\": 3, \"stage\"");
  for (const auto& [text, told] : std::initializer_list<std::pair<std::string, const char*>>{
           {strange_style, "reference | puppet"},
           {one_key_more, "seed does not belong here"},
           {R"({"limb_radius": 2})", "unknown key"},
           {R"({"stage": 2})", "data.width is missing"},
           {"{}", "stage is missing"},
           {"null", "stage is missing"},
           {"", "stage is missing"},
           {"{", "trained_as.json:1"},
           {"[1]", "keys and values"}}) {
    write(text);

    const auto read = read_trained_as(folder_.path());

    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::InvalidConfig);
    EXPECT_THAT(read.error().message, HasSubstr(told));
  }
}

}  // namespace
}  // namespace zt::config
