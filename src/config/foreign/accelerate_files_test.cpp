// SPDX-License-Identifier: Apache-2.0
// What becomes of accelerate's files, as foreign_files_test.cpp has it of DeepSpeed's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "config/foreign/foreign_files.hpp"
#include "support/foreign_files.hpp"

namespace zt::config {
namespace {

using testing::HasSubstr;

TEST_F(ForeignFilesTest, DeepSpeedsOwnKeysDoNotCountInAccelerates) {
  const auto result = accelerate(
      "distributed_type: DEEPSPEED\nmixed_precision: fp16\ndeepspeed_config:\n  zero_stage: 2\n"
      "  bf16: {enabled: true}\n  train_batch_size: 16\n  zero_optimization: {stage: 3}\n");

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.parallel.zero_stage, 2);
  EXPECT_EQ(result->job.precision.mixed_precision, MixedPrecision::Fp16);
  EXPECT_THAT(effect("deepspeed_config.zero_optimization"), HasSubstr("accelerate does not read it here"));
}

TEST_F(ForeignFilesTest, AKindBringsTheStageThatAccelerateTakesByItself) {
  const auto stage = [&](const std::string& text) {
    const auto result = accelerate(text);
    EXPECT_TRUE(result) << result.error().text();
    return result ? result->job.parallel.zero_stage : -1;
  };
  EXPECT_EQ(stage("distributed_type: FSDP\n"), 3);
  EXPECT_THAT(effect("distributed_type"), HasSubstr("parallel.zero_stage = 3"));
  EXPECT_EQ(stage("distributed_type: FSDP\nfsdp_config: {fsdp_version: 2}\n"), 3);
  EXPECT_EQ(stage("distributed_type: FSDP\nfsdp_config: {fsdp_sharding_strategy: SHARD_GRAD_OP}\n"), 2);
  EXPECT_EQ(stage("distributed_type: DEEPSPEED\n"), 2);
  EXPECT_EQ(stage("distributed_type: DEEPSPEED\ndeepspeed_config: {zero_stage: 3}\n"), 3);
  EXPECT_EQ(stage("distributed_type: MULTI_GPU\n"), TrainJob().parallel.zero_stage);

  write("three.json", "{" + kMicro + R"(, "zero_optimization": {"stage": 3}})");
  const auto both = with({write("accel.yaml", "distributed_type: DEEPSPEED\n"), folder_ / "three.json"});
  ASSERT_TRUE(both) << both.error().text();
  EXPECT_EQ(both->job.parallel.zero_stage, 3);
}

TEST_F(ForeignFilesTest, AccelerateNamesADeepSpeedFileBesideItself) {
  write("zero.json", R"({"train_micro_batch_size_per_gpu": "auto", "zero_optimization": {"stage": 1},
                         "bf16": {"enabled": "auto"}})");
  const std::string head = "distributed_type: DEEPSPEED\nmixed_precision: bf16\n";
  const std::string named = "deepspeed_config: {deepspeed_config_file: zero.json";

  const auto result = accelerate(head + named + "}\n");
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.parallel.zero_stage, 1);
  EXPECT_THAT(effect("bf16.enabled"), HasSubstr("precision.mixed_precision = bf16"))
      << "accelerate's fills it";

  EXPECT_THAT(message(accelerate(head + named + ", zero_stage: 1}\n")),
              HasSubstr("deepspeed_config_file excludes zero_stage beside it"));
  EXPECT_THAT(message(with({write("accel.yaml", head + named + "}\n"), folder_ / "zero.json"})),
              HasSubstr("give one"));
  EXPECT_THAT(message(accelerate("distributed_type: DEEPSPEED\ndeepspeed_config:\n"
                                 "  deepspeed_config_file: none.json\n")),
              HasSubstr("accel.yaml:3:26: \"none.json\" is neither in the working folder nor beside"));
}

// PKU-YuanGroup/Open-Sora-Plan's scripts/accelerate_configs/*.yaml name their JSON from the checkout's root.
TEST_F(ForeignFilesTest, AccelerateNamesADeepSpeedFileFromAFolderAboveIt) {
  std::filesystem::create_directories(folder_ / "scripts/configs");
  write("scripts/configs/zero2.json", "{" + kMicro + R"(, "zero_optimization": {"stage": 2}})");
  const auto yaml = write("scripts/configs/accel.yaml",
                          "distributed_type: DEEPSPEED\ndeepspeed_config:\n"
                          "  deepspeed_config_file: scripts/configs/zero2.json\n");

  const auto result = with({yaml, ""});

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.parallel.zero_stage, 2);
}

TEST_F(ForeignFilesTest, FsdpStrategiesAreStages) {
  for (const auto& [keys, stage] : std::vector<std::pair<std::string, int64_t>>{
           {"fsdp_sharding_strategy: FULL_SHARD", 3},
           {"fsdp_sharding_strategy: SHARD_GRAD_OP", 2},
           {"sharding_strategy: NO_SHARD", 0},
           {"sharding_strategy: 4", 3},
           {"fsdp_version: 2, fsdp_reshard_after_forward: true", 3},
           {"fsdp_version: 2, fsdp_reshard_after_forward: false", 2}}) {
    const auto result = accelerate("distributed_type: FSDP\nfsdp_config: {" + keys + "}\n");
    ASSERT_TRUE(result) << keys << result.error().text();
    EXPECT_EQ(result->job.parallel.zero_stage, stage) << keys;
  }
  EXPECT_THAT(message(accelerate("distributed_type: FSDP\nfsdp_config: {sharding_strategy: MOST}\n")),
              HasSubstr("wanted FULL_SHARD"));
  const auto recomputed =
      accelerate("distributed_type: FSDP\nfsdp_config: {fsdp_activation_checkpointing: true}\n");
  ASSERT_TRUE(recomputed);
  EXPECT_TRUE(recomputed->job.gradient_checkpointing);
}

TEST_F(ForeignFilesTest, SectionsOfOtherKindsAreNotUsed) {
  const auto result = accelerate("distributed_type: MULTI_GPU\ndeepspeed_config: {zero_stage: 0}\n");

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.parallel.zero_stage, 1) << "ours";
  EXPECT_EQ(effect("deepspeed_config.zero_stage"), "not used: distributed_type is MULTI_GPU");
}

TEST_F(ForeignFilesTest, ShardsWithinCopiesAreShardRanks) {
  const std::string hybrid =
      "distributed_type: FSDP\nfsdp_config: {sharding_strategy: HYBRID_SHARD}\nnum_machines: ";
  const auto machines = accelerate(hybrid + "2\n", "lanes: 8\n", 8);
  ASSERT_TRUE(machines) << machines.error().text();
  EXPECT_EQ(machines->job.parallel.zero_stage, 3);
  EXPECT_EQ(machines->job.parallel.shard_ranks, 4) << "those of a machine";
  EXPECT_THAT(message(accelerate(hybrid + "3\n", "", 8)), HasSubstr("8 ranks do not divide into 3 machines"));

  const std::string mesh = "distributed_type: FSDP\nfsdp_config: {version: 2}\nparallelism_config: ";
  const auto both = accelerate(mesh + "{dp_replicate_size: 2, dp_shard_size: 4}\n", "lanes: 8\n", 8);
  ASSERT_TRUE(both) << both.error().text();
  EXPECT_EQ(both->job.parallel.shard_ranks, 4);

  const auto mics = deepspeed(R"("zero_optimization": {"stage": 3, "mics_shard_size": 2})");
  ASSERT_TRUE(mics) << mics.error().text();
  EXPECT_EQ(mics->job.parallel.shard_ranks, 2);
}

TEST_F(ForeignFilesTest, CopiesAloneShareNothing) {
  const auto copies = accelerate(
      "distributed_type: FSDP\nfsdp_config: {version: 2, reshard_after_forward: true}\n"
      "parallelism_config: {dp_replicate_size: 4}\n",
      "lanes: 4\n", 4);

  ASSERT_TRUE(copies) << copies.error().text();
  EXPECT_EQ(copies->job.parallel.zero_stage, 0);
}

TEST_F(ForeignFilesTest, MeshesThatAreNotBuiltOrDoNotFitAreRefused) {
  const std::string head = "distributed_type: FSDP\nfsdp_config: {version: 2}\nparallelism_config: ";
  for (const char* mesh :
       {"{dp_shard_size: 2}", "{dp_shard_size: 0}", "{dp_replicate_size: -4, dp_shard_size: -1}",
        "{dp_replicate_size: 9007199254740992, dp_shard_size: 9007199254740992}"})
    EXPECT_THAT(message(accelerate(head + mesh + "\n", "", 4)), HasSubstr("and there are 4 ranks")) << mesh;
  EXPECT_THAT(message(accelerate(head + "{tp_size: 2}\n", "", 4)), HasSubstr("only 1 is supported"));
}

TEST_F(ForeignFilesTest, MeshesOfTheFirstFsdpAreRefused) {
  const std::string mesh = "parallelism_config: {dp_replicate_size: 2, dp_shard_size: 2}\n";
  for (const char* version : {"", "fsdp_config: {fsdp_version: 1, fsdp_sharding_strategy: FULL_SHARD}\n"})
    EXPECT_THAT(
        message(accelerate(std::string("distributed_type: FSDP\n") + version + mesh, "lanes: 4\n", 4)),
        testing::AllOf(HasSubstr("accel.yaml:"), HasSubstr("needs FSDP's version 2")));
  EXPECT_EQ(message(accelerate("distributed_type: FSDP\nparallelism_config: {dp_shard_size: 1}\n", "", 1)),
            "accepted");
}

TEST_F(ForeignFilesTest, RanksAreThoseOfAllMachines) {
  const auto ranks = [&](const std::string& text) { return foreign_ranks({write("accel.yaml", text), ""}); };

  EXPECT_EQ(*ranks("distributed_type: MULTI_CPU\nnum_processes: 8\nnum_machines: 2\n"), 8);
  EXPECT_EQ(*ranks("distributed_type: 'NO'\n"), 1);
  EXPECT_EQ(*ranks("distributed_type: MULTI_GPU\nnum_processes: -1\n"), std::nullopt);
  EXPECT_THAT(message(ranks("distributed_type: MULTI_GPU\nnum_processes: 0\n")),
              HasSubstr("wanted 1 to 4096"));
  EXPECT_THAT(message(ranks("distributed_type: MEGATRON_LM\n")), HasSubstr("only NO, MULTI_CPU"));
  EXPECT_THAT(message(ranks("num_processes: 2\n")), HasSubstr("distributed_type is missing"));
  EXPECT_EQ(*foreign_ranks({}), std::nullopt);
}

TEST_F(ForeignFilesTest, PrecisionOfAccelerate) {
  for (const auto& [text, wanted] :
       std::vector<std::pair<std::string, MixedPrecision>>{{"mixed_precision: 'no'", MixedPrecision::Fp32},
                                                           {"mixed_precision: no", MixedPrecision::Fp32},
                                                           {"mixed_precision: bf16", MixedPrecision::Bf16},
                                                           {"fp16: true", MixedPrecision::Fp16}}) {
    const auto result = accelerate("distributed_type: 'NO'\n" + text + "\n");
    ASSERT_TRUE(result) << text << result.error().text();
    EXPECT_EQ(result->job.precision.mixed_precision, wanted) << text;
  }
  EXPECT_THAT(message(accelerate("distributed_type: 'NO'\nmixed_precision: fp8\n")),
              HasSubstr("bf16 is the nearest"));
}

}  // namespace
}  // namespace zt::config
