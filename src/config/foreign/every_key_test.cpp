// SPDX-License-Identifier: Apache-2.0
// Files with every key of DeepSpeed's and accelerate's configuration, written by hand from their sources
// (config/foreign/key_table.hpp), so that none falls out of the tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/files/files.hpp"
#include "config/foreign/foreign_files.hpp"
#include "support/foreign_files.hpp"

namespace zt::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kFolder = ZT_SOURCE_DIR "/src/config/testdata/foreign/";

/// The text, in which `from` stands once, with `to` there.
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  EXPECT_NE(text.find(from), std::string::npos) << from;
  return text.replace(text.find(from), from.size(), to);
}

TEST_F(ForeignFilesTest, EveryKeyOfDeepSpeedIsKnown) {
  const auto result = with({"", kFolder + "deepspeed_every_key.json"});

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(effects_.size(), 132U) << "one for each of its 133 keys, less two that are null; betas are two";
  EXPECT_EQ(result->job.data.train_bs, 2);
  EXPECT_EQ(result->job.parallel.zero_stage, 1);
  for (const Effect& row : effects_) EXPECT_THAT(row.effect, testing::Not(HasSubstr("warning"))) << row.key;
}

TEST_F(ForeignFilesTest, EveryKeyOfTheOtherSchedulersIsKnown) {
  const auto with_keys = [&](const std::string& type, const std::string& keys) {
    return message(deepspeed(R"("scheduler": {"type": ")" + type + R"(", "params": {)" + keys + "}}"));
  };
  EXPECT_EQ(with_keys("WarmupDecayLR",
                      R"("total_num_steps": 100, "warmup_min_lr": 0, "warmup_max_lr": 0.001,
                         "warmup_num_steps": 10, "warmup_type": "linear")"),
            "accepted");
  EXPECT_EQ(with_keys("WarmupCosineLR",
                      R"("total_num_steps": 100, "warmup_min_ratio": 0, "cos_min_ratio": 0.0001,
                         "warmup_num_steps": 10)"),
            "accepted");
  for (const char* type : {"OneCycle", "LRRangeTest"})
    EXPECT_THAT(with_keys(type, ""), HasSubstr("scheduler.type: only WarmupLR")) << type;
}

TEST_F(ForeignFilesTest, EveryOtherOptimizerIsRefusedByName) {
  for (const std::string type : {"Adagrad", "Lamb", "Lion", "Muon", "OneBitAdam", "ZeroOneAdam", "OneBitLamb",
                                 "MuAdam", "MuAdamW", "MuSGD"})
    EXPECT_THAT(message(deepspeed(R"("optimizer": {"type": ")" + type + "\"}")),
                HasSubstr("are built, found \"" + type + "\""));
}

TEST_F(ForeignFilesTest, EveryKeyOfAccelerateIsKnownForEveryKind) {
  const std::string text = *files::read(kFolder + "accelerate_every_key.yaml", size_t{1} << 20);
  for (const auto& [kind, stage] :
       {std::pair("DEEPSPEED", 2), std::pair("FSDP", 3), std::pair("MULTI_GPU", 1), std::pair("MULTI_CPU", 1),
        std::pair("'NO'", 1)}) {
    const auto result =
        accelerate(replaced(text, "distributed_type: DEEPSPEED", std::string("distributed_type: ") + kind));
    ASSERT_TRUE(result) << kind << ": " << result.error().text();
    EXPECT_EQ(result->job.parallel.zero_stage, stage) << kind;
    EXPECT_EQ(effects_.size(), 59U) << kind << ": one for each of its 65 keys, less six that are nothing";
  }
}

// What is not used, and makes other numbers there, is told from what only names another way to the same ones.
TEST_F(ForeignFilesTest, KeysThatWouldChangeNumbersAreWarnings) {
  ASSERT_TRUE(deepspeed(R"("fp16": {"enabled": true, "hysteresis": 2, "min_loss_scale": 1,
                                    "consecutive_hysteresis": false, "auto_cast": false},
                           "data_types": {"grad_accum_dtype": "bf16", "param_dtype": "fp32"},
                           "communication_data_type": "bf16")"));
  EXPECT_THAT(effect("fp16.hysteresis"),
              StartsWith("warning: not used, so numbers may differ: the scale halves"));
  EXPECT_THAT(effect("fp16.min_loss_scale"), StartsWith("warning: "));
  EXPECT_THAT(effect("data_types.grad_accum_dtype"), StartsWith("warning: "));
  EXPECT_THAT(effect("communication_data_type"), StartsWith("warning: "));
  EXPECT_EQ(effect("fp16.consecutive_hysteresis"), "as here");
  EXPECT_EQ(effect("data_types.param_dtype"), "as here");
  EXPECT_THAT(effect("fp16.auto_cast"), StartsWith("not used: "));

  for (const char* kept : {"bf16", "bf16_stochastic"}) {
    const std::string own =
        std::string("precision: {mixed_precision: bf16, trained_weights: ") + kept + "}\n";
    ASSERT_TRUE(deepspeed(R"("communication_data_type": "bf16")", own));
    EXPECT_EQ(effect("communication_data_type"), "as here") << kept;
    ASSERT_TRUE(deepspeed(R"("communication_data_type": "fp32")", own));
    EXPECT_THAT(effect("communication_data_type"), StartsWith("warning: ")) << kept;
  }
  ASSERT_TRUE(deepspeed(R"("communication_data_type": "fp32")"));
  EXPECT_EQ(effect("communication_data_type"), "as here");

  ASSERT_TRUE(deepspeed(R"("fp16": {"enabled": false, "hysteresis": 2})"));
  EXPECT_EQ(effect("fp16.hysteresis"), "not used: the section is not enabled");
  ASSERT_TRUE(
      deepspeed(R"("fp16": {"enabled": "auto", "hysteresis": 2})", "precision: {mixed_precision: fp16}\n"));
  EXPECT_THAT(effect("fp16.hysteresis"), StartsWith("warning: "));
  ASSERT_TRUE(deepspeed(R"("fp16": {"enabled": true, "hysteresis": 1})"));
  EXPECT_EQ(effect("fp16.hysteresis"), "as here");
}

}  // namespace
}  // namespace zt::config
