// SPDX-License-Identifier: Apache-2.0
// Runs under accelerate's launcher. testdata/foreign/launch_*.env are what `accelerate launch` set for a
// process that it started; record.py beside them says how they were made, and by which version.
#include "config/foreign/launch_environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "config/foreign/foreign_files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::HasSubstr;

Environment recorded(const std::string& name) {
  const auto text = files::read(ZT_SOURCE_DIR "/src/config/testdata/foreign/launch_" + name + ".env");
  EXPECT_TRUE(text) << name;
  Environment environment;
  for (const std::string& line : text::split(*text, '\n')) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) environment[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return environment;
}

std::string refusal(const Environment& environment, const TrainJob& run, int64_t ranks = 2) {
  const Status checked = check_launch(environment, run, ranks);
  if (checked) return "accepted";
  EXPECT_EQ(checked.error().code, ErrorCode::InvalidConfig);
  return checked.error().message;
}

TrainJob run_of(MixedPrecision precision, int64_t stage) {
  TrainJob run;
  run.lanes = 2;
  run.precision.mixed_precision = precision;
  run.parallel.zero_stage = stage;
  return run;
}

TEST(LaunchEnvironment, PlainLaunchesAskForNothing) {
  for (const MixedPrecision precision : {MixedPrecision::Fp32, MixedPrecision::Bf16})
    for (const char* name : {"plain", "plain_cpu"})
      EXPECT_EQ(refusal(recorded(name), run_of(precision, 3)), "accepted") << name;
  EXPECT_EQ(refusal({{"PATH", "/bin"}, {"RANK", "0"}}, run_of(MixedPrecision::Fp32, 1)), "accepted");
}

TEST(LaunchEnvironment, WhatTheRunHasIsAccepted) {
  EXPECT_EQ(refusal(recorded("sample"), run_of(MixedPrecision::Fp16, 2)), "accepted");
  EXPECT_EQ(refusal(recorded("fsdp"), run_of(MixedPrecision::Bf16, 3)), "accepted");
}

TEST(LaunchEnvironment, WhatTheRunIsNotIsListed) {
  const std::string sample = refusal(recorded("sample"), run_of(MixedPrecision::Fp32, 1));
  EXPECT_THAT(
      sample,
      HasSubstr(
          "ACCELERATE_MIXED_PRECISION = fp16 needs precision.mixed_precision = fp16; the run says fp32"));
  EXPECT_THAT(sample,
              HasSubstr("ACCELERATE_DEEPSPEED_ZERO_STAGE = 2 needs parallel.zero_stage = 2; the run says 1"));
  EXPECT_THAT(refusal(recorded("fsdp"), run_of(MixedPrecision::Bf16, 2)),
              HasSubstr("FSDP_SHARDING_STRATEGY = FULL_SHARD needs parallel.zero_stage = 3"));
  TrainJob cuda = run_of(MixedPrecision::Fp32, 2);
  cuda.device = "cuda";
  EXPECT_THAT(refusal(recorded("plain_cpu"), cuda),
              HasSubstr("ACCELERATE_USE_CPU = true needs device = cpu"));
}

TEST(LaunchEnvironment, FlagsOfDeepSpeedCount) {
  const std::string text = refusal(recorded("flags"), run_of(MixedPrecision::Fp32, 2));

  EXPECT_THAT(text, HasSubstr("ACCELERATE_GRADIENT_ACCUMULATION_STEPS = 4 needs "
                              "optimizer.gradient_accumulation_steps = 4; the run says 1"));
  EXPECT_THAT(text, HasSubstr("ACCELERATE_GRADIENT_CLIPPING = 0.5 needs optimizer.max_grad_norm = 0.5"));
  EXPECT_THAT(text, testing::Not(HasSubstr("parallel.zero_stage")));
}

TEST(LaunchEnvironment, OptimizerStateIsWhereTheRunHasIt) {
  const auto to = [](const char* device) {
    return Environment{{"ACCELERATE_USE_DEEPSPEED", "true"},
                       {"ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE", device}};
  };
  TrainJob run = run_of(MixedPrecision::Fp32, 2);
  EXPECT_EQ(refusal(to("cpu"), run), "accepted") << "on the CPU it is in host memory anyway";
  run.device = "cuda";
  EXPECT_THAT(refusal(to("cpu"), run), HasSubstr("needs optimizer.offload = cpu; the run says none"));
  EXPECT_THAT(refusal(to("nvme"), run), HasSubstr("state on NVMe"));
  run.optimizer.offload = Offload::Cpu;
  EXPECT_EQ(refusal(to("cpu"), run), "accepted");
  EXPECT_EQ(refusal(to("none"), run), "accepted") << "it is set where nobody asked";
}

TEST(LaunchEnvironment, WhatIsNotBuiltIsRefusedAtItsVariable) {
  const TrainJob run = run_of(MixedPrecision::Fp32, 3);
  EXPECT_THAT(refusal({{"ACCELERATE_MIXED_PRECISION", "fp8"}}, run),
              testing::AllOf(
                  HasSubstr("mixed_precision: wanted no, fp16 or bf16, found \"fp8\""),
                  HasSubstr("\n  1 | ACCELERATE_MIXED_PRECISION=fp8\n    |                            ^")));
  EXPECT_THAT(refusal({{"ACCELERATE_USE_MEGATRON_LM", "true"}}, run), HasSubstr("found \"MEGATRON_LM\""));
  EXPECT_THAT(refusal({{"ACCELERATE_USE_FSDP", "true"}, {"FSDP_OFFLOAD_PARAMS", "true"}}, run),
              HasSubstr("FSDP_OFFLOAD_PARAMS: offloading of weights is not built"));
  EXPECT_THAT(refusal({{"PARALLELISM_CONFIG_TP_SIZE", "2"}}, run),
              HasSubstr("only data parallelism is built"));
}

TEST(LaunchEnvironment, ADeepSpeedFileIsReadAgainstTheRun) {
  const test::TempFolder folder;
  const auto file = folder / "ds.json";
  ASSERT_TRUE(files::write_atomic(
      file, R"({"train_batch_size": 4, "zero_optimization": {"stage": 2}, "fp16": {"enabled": "auto"}})"));
  const Environment environment{{"ACCELERATE_USE_DEEPSPEED", "true"},
                                {"ACCELERATE_DEEPSPEED_CONFIG_FILE", file.string()},
                                {"ACCELERATE_MIXED_PRECISION", "no"}};
  TrainJob run = run_of(MixedPrecision::Fp32, 2);
  EXPECT_THAT(refusal(environment, run),
              HasSubstr("train_batch_size = 4 needs data.train_bs = 2; the run says"));
  run.data.train_bs = 2;
  EXPECT_EQ(refusal(environment, run), "accepted");
}

}  // namespace
}  // namespace zt::config
