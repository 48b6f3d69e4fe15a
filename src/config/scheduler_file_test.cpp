// SPDX-License-Identifier: Apache-2.0
// Expected values of omitted keys are those of diffusers' DDIMScheduler (0.24 and 0.42).
#include "config/scheduler_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

/// A folder of weights with such a file.
class SchedulerFile : public testing::Test {
 protected:
  void write(const std::string& text) {
    const auto file = scheduler_file(folder_.path());
    ASSERT_TRUE(files::make_folders(file.parent_path()));
    ASSERT_TRUE(files::write_atomic(file, text));
  }
  template <class Job>
  Resolved<Job> taken(const std::vector<std::string>& sets) const {
    auto resolved = load<Job>({{}, sets});
    EXPECT_TRUE(resolved) << resolved.error().text();
    const Status status = take_scheduler(folder_.path(), *resolved);
    EXPECT_TRUE(status) << status.error().text();
    return *std::move(resolved);
  }
  Error refusal(const std::string& text, const std::vector<std::string>& sets = {}) {
    write(text);
    auto resolved = load<GenerateJob>({{}, sets}).value();
    const Status status = take_scheduler(folder_.path(), resolved);
    EXPECT_FALSE(status);
    return status ? Error{} : status.error();
  }

  const test::TempFolder folder_;
};

TEST_F(SchedulerFile, SaysWhatWasLeftOpen) {
  write(scheduler_json({.num_train_timesteps = 700,
                        .beta_start = 0.001,
                        .beta_end = 0.03,
                        .beta_schedule = BetaSchedule::Linear,
                        .enable_zero_snr = false,
                        .prediction_type = PredictionType::Sample},
                       TimestepSpacing::Linspace));

  const auto generate = taken<GenerateJob>({});
  const auto train = taken<TrainJob>({});

  for (const ScheduleJob& schedule : {generate.job.schedule, train.job.schedule}) {
    EXPECT_EQ(schedule.num_train_timesteps, 700);
    EXPECT_EQ(schedule.beta_start, 0.001);
    EXPECT_EQ(schedule.beta_end, 0.03);
    EXPECT_EQ(schedule.beta_schedule, BetaSchedule::Linear);
    EXPECT_FALSE(schedule.enable_zero_snr);
    EXPECT_EQ(schedule.prediction_type, PredictionType::Sample);
  }
  EXPECT_EQ(generate.job.timestep_spacing, TimestepSpacing::Linspace);
  EXPECT_THAT(generate.origins.at("schedule.prediction_type"),
              EndsWith("scheduler/scheduler_config.json:10"));
  EXPECT_THAT(train.origins.at("validation.timestep_spacing"), HasSubstr("scheduler_config.json:"));
}

// Who asks for the reference's values has them, also where a file leaves the key out.
TEST_F(SchedulerFile, StandsBelowCompatMoore) {
  write(R"({"_class_name": "DDIMScheduler", "prediction_type": "sample"})");

  const auto resolved = taken<GenerateJob>({"compat=moore"});

  EXPECT_EQ(resolved.job.schedule.prediction_type, PredictionType::Sample);
  EXPECT_EQ(resolved.job.timestep_spacing, TimestepSpacing::Trailing);
}

TEST_F(SchedulerFile, StandsBelowWhatTheUserSets) {
  write(scheduler_json({.prediction_type = PredictionType::Sample}, TimestepSpacing::Trailing));

  const auto resolved =
      taken<GenerateJob>({"schedule.prediction_type=v_prediction", "timestep_spacing=linspace"});

  EXPECT_EQ(resolved.job.schedule.prediction_type, PredictionType::VPrediction);
  EXPECT_EQ(resolved.job.timestep_spacing, TimestepSpacing::Linspace);
  EXPECT_EQ(resolved.origins.at("schedule.prediction_type"), "--set");
}

// scheduler/scheduler_config.json of stable-diffusion-v1-5.
TEST_F(SchedulerFile, SaysDiffusersDefaultsByLeavingKeysOut) {
  write(R"({"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
            "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null,
            "clip_sample": false})");

  const auto resolved = taken<GenerateJob>({});

  EXPECT_EQ(resolved.job.schedule.prediction_type, PredictionType::Epsilon);
  EXPECT_FALSE(resolved.job.schedule.enable_zero_snr);
  EXPECT_EQ(resolved.job.schedule.beta_end, 0.012);
  EXPECT_EQ(resolved.job.timestep_spacing, TimestepSpacing::Leading);
  EXPECT_THAT(resolved.origins.at("timestep_spacing"), HasSubstr("left out of "));
}

TEST_F(SchedulerFile, ThatIsNotThereChangesNothing) {
  EXPECT_EQ(digest(taken<GenerateJob>({}).job), digest(GenerateJob{}));
}

TEST_F(SchedulerFile, IsRefusedWithItsPlaceWhereItSaysWhatIsNotBuilt) {
  for (const char* text :
       {"{\"clip_sample\": true}", "{\"thresholding\": true}", "{\"trained_betas\": [0.1]}"}) {
    const Error error = refusal(text);
    EXPECT_EQ(error.code, ErrorCode::InvalidConfig);
    EXPECT_THAT(error.message, AllOf(HasSubstr("scheduler_config.json:1:"), HasSubstr("is not built")));
  }
  EXPECT_THAT(refusal("{\"beta_schedule\": \"squaredcos_cap_v2\"}").message,
              AllOf(HasSubstr("schedule.beta_schedule"), HasSubstr("scaled_linear")));
  EXPECT_THAT(refusal("[1, 2]").message, HasSubstr("wanted diffusers' settings"));
  EXPECT_THAT(refusal("{\"prediction_type\": \"epsilon\"}", {"schedule.enable_zero_snr=true"}).text(),
              AllOf(HasSubstr("schedule.enable_zero_snr"), HasSubstr("scheduler_config.json")));
}

}  // namespace
}  // namespace zt::config
