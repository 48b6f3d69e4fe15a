// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/key_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace zt::config::foreign {
namespace {

using testing::HasSubstr;

Result<KeyFile> read(const std::string& text, const KeyTable& table = deepspeed_table()) {
  const Source source{"ds.json", text};
  ZT_TRY_ASSIGN(const YamlNode root, parse_yaml(source));
  return read_keys(source, root, table);
}

std::string value(const std::string& text, std::string_view key) {
  const auto file = read(text);
  if (!file) return file.error().text();
  const Entry* entry = file->find(key);
  return entry ? entry->value : "absent";
}

/// The message of a text that must be refused.
std::string refusal(const std::string& text, const KeyTable& table = deepspeed_table()) {
  const auto file = read(text, table);
  if (file) return "accepted";
  EXPECT_EQ(file.error().code, ErrorCode::InvalidConfig);
  return file.error().message;
}

TEST(KeyFile, TakesFloatsForWholeNumbers) {
  EXPECT_EQ(
      value(R"({"zero_optimization": {"reduce_bucket_size": 5e8}})", "zero_optimization.reduce_bucket_size"),
      "500000000");
  EXPECT_EQ(value(R"({"zero_optimization":{"sub_group_size":1e9}})", "zero_optimization.sub_group_size"),
            "1000000000");
  EXPECT_EQ(value(R"({"zero_optimization": {"stage3_model_persistence_threshold": 9223372036854775807}})",
                  "zero_optimization.stage3_model_persistence_threshold"),
            "9223372036854775807");
  EXPECT_EQ(value(R"({"gradient_clipping": 1})", "gradient_clipping"), "1");
}

TEST(KeyFile, ReadsJsonWithTabsEscapesCommentsAndTrailingCommas) {
  const std::string text =
      "{\n\t\"gradient_clipping\"\t: 0.5,\n"
      "\t# hjson, which DeepSpeed reads with, has comments\n"
      "\t\"wandb\": {\"group\": \"a\\/b \\u00e9 \\\"c\\\"\"},\n}\n";

  EXPECT_EQ(value(text, "gradient_clipping"), "0.5");
}

TEST(KeyFile, NullIsAsIfAbsent) {
  EXPECT_EQ(value(R"({"train_batch_size": null, "zero_optimization": null})", "train_batch_size"), "absent");
}

TEST(KeyFile, NothingInBracketsIsNoValue) {
  EXPECT_THAT(refusal(R"({"gradient_clipping": {}})"), HasSubstr("gradient_clipping: wanted a number"));
  EXPECT_THAT(refusal(R"({"train_batch_size": []})"), HasSubstr("train_batch_size: wanted"));
  EXPECT_THAT(refusal(R"({"bf16": []})"), HasSubstr("bf16 is a section"));
  EXPECT_EQ(value(R"({"bf16": {}, "autotuning": {}})", "bf16.enabled"), "absent");
}

TEST(KeyFile, RemembersLineAndKey) {
  const auto file = read("{\n  \"zero_optimization\": {\n    \"stage\": 1\n  }\n}\n");

  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->origin(file->entries.at(0)), "ds.json:3:zero_optimization.stage");
}

TEST(KeyFile, OldSpellingsAreTheNewKeys) {
  const auto file = read(R"({"bfloat16": {"enabled": true}})");

  ASSERT_TRUE(file) << file.error().text();
  const Entry* entry = file->find("bf16.enabled");
  ASSERT_TRUE(entry);
  EXPECT_TRUE(entry->is_old);
  EXPECT_EQ(entry->written, "bfloat16.enabled");
}

// deepspeed/runtime/zero/config.py of 0.19.8 takes its fields by either name (populate_by_name).
TEST(KeyFile, Stage3KeysMayStandWithoutTheirPrefix) {
  for (const KeyRow& row : deepspeed_table().rows) {
    const size_t prefix = row.key.find("stage3_");
    if (prefix == std::string_view::npos || row.does == Does::Renamed) continue;
    const std::string bare = "zero_optimization." + std::string(row.key.substr(prefix + 7));
    const KeyRow* other = deepspeed_table().find(bare);
    ASSERT_TRUE(other) << bare;
    EXPECT_EQ(other->text, row.key);
  }
}

TEST(KeyFile, PrefixesOfAccelerateAreOptional) {
  const auto file = read(
      "fsdp_config: {fsdp_version: 2, offload_params: false}\n"
      "parallelism_config: {parallelism_config_tp_size: 1}\n",
      accelerate_table());

  ASSERT_TRUE(file) << file.error().text();
  EXPECT_TRUE(file->find("fsdp_config.version"));
  EXPECT_TRUE(file->find("fsdp_config.offload_params"));
  EXPECT_TRUE(file->find("parallelism_config.tp_size"));
}

TEST(KeyFile, PointsAtAWrongType) {
  EXPECT_THAT(
      refusal("{\n  \"train_batch_size\": true\n}"),
      testing::AllOf(HasSubstr("ds.json:2:23: train_batch_size: wanted a whole number or \"auto\", found "
                               "\"true\""),
                     HasSubstr("\n  2 |   \"train_batch_size\": true\n    |                       ^")));
  for (const char* text :
       {R"({"train_batch_size": "8"})", R"({"train_batch_size": 1.5})", R"({"train_batch_size": [8]})",
        R"({"train_batch_size": {"a": 1}})", R"({"train_batch_size": NaN})", R"({"train_batch_size": 1e400})",
        R"({"train_batch_size": 1e30})", R"({"train_batch_size": 0x10})", R"({"train_batch_size": ""})"})
    EXPECT_THAT(refusal(text), HasSubstr("wanted a whole number")) << text;
  for (const char* text : {R"({"gradient_clipping": NaN})", R"({"gradient_clipping": Infinity})",
                           R"({"gradient_clipping": .inf})", R"({"gradient_clipping": true})"})
    EXPECT_THAT(refusal(text), HasSubstr("gradient_clipping: wanted a number")) << text;
  for (const char* text : {R"({"fp16": {"enabled": 1}})", R"({"fp16": {"enabled": "true"}})"})
    EXPECT_THAT(refusal(text), HasSubstr("fp16.enabled: wanted true or false")) << text;
  EXPECT_THAT(refusal(R"({"optimizer": {"type": "Adam", "params": {"betas": [0.9, "x"]}}})"),
              HasSubstr("betas: wanted a list of numbers"));
}

TEST(KeyFile, RefusesAnUnknownKeyWithTheNearest) {
  EXPECT_THAT(refusal(R"({"zero_optimization": {"stge": 1}})"),
              HasSubstr("unknown DeepSpeed key \"zero_optimization.stge\"; did you mean "
                        "zero_optimization.stage?"));
  EXPECT_THAT(refusal("num_proceses: 4\n", accelerate_table()), HasSubstr("did you mean num_processes?"));
}

TEST(KeyFile, RefusesOneKeyTwice) {
  EXPECT_THAT(refusal(R"({"steps_per_print": 1, "steps_per_print": 2})"), HasSubstr("stands here twice"));
  EXPECT_THAT(refusal("fsdp_config:\n  version: 1\n  fsdp_version: 2\n", accelerate_table()),
              HasSubstr(":3:3: fsdp_config.fsdp_version and fsdp_config.version in line 2 are one key"));
  EXPECT_THAT(refusal(R"({"bf16": {"enabled": true}, "bfloat16": {"enabled": false}})"),
              HasSubstr("are one key"));
}

TEST(KeyFile, RefusesAutoWhereNothingFillsIt) {
  EXPECT_THAT(refusal(R"({"fp16": {"loss_scale_window": "auto"}})"),
              HasSubstr("fp16.loss_scale_window: wanted a whole number, found the text \"auto\""));
}

// IDEA-Research/hana's file says number_checkpoints: false, which DeepSpeed takes; and its releases leave out
// "auto" wherever it stands.
TEST(KeyFile, TakesAnyTypeWhereTheValueIsNotUsed) {
  EXPECT_EQ(refusal(R"({"activation_checkpointing": {"number_checkpoints": false}})"), "accepted");
  EXPECT_EQ(refusal(R"({"zero_optimization": {"stage3_max_live_parameters": "auto"}})"), "accepted");
  EXPECT_EQ(value(R"({"steps_per_print": [1, 2]})", "steps_per_print"), "1, 2");
}

TEST(KeyFile, RefusesWhatIsNotBuiltWithTheReason) {
  EXPECT_THAT(refusal(R"({"zero_optimization": {"zero_quantized_gradients": true}})"),
              HasSubstr("only false is supported, found \"true\": quantised sending"));
  EXPECT_THAT(refusal(R"({"elasticity": {"enabled": true, "version": 0.1}})"),
              HasSubstr("elasticity: only enabled: false is supported"));
  EXPECT_THAT(refusal(R"({"zero_optimization": {"zenflow": {"topk_ratio": 0.1}}})"),
              HasSubstr("zenflow is not supported"));
  EXPECT_EQ(refusal(R"({"elasticity": {"enabled": false, "version": 0.1}})"), "accepted");
}

TEST(KeyFile, RefusesHostileTexts) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "{\"wandb\":";
  deep += "1" + std::string(5000, '}');
  EXPECT_THAT(refusal(deep), HasSubstr("levels of maps and lists"));
  EXPECT_NE(refusal(std::string("{\"wandb\": \"\0\"}", 14)), "accepted");
  EXPECT_NE(refusal("{\"wandb\": \"\xff\"}"), "accepted");
  for (const char* text : {"[1, 2]", "8", "{", "{\"a\"", "{\"wandb\": \"x", "\"text\"",
                           "{\"zero_optimization\": 3}", "{\"fp16\": [1]}", "{\"fp16\": \"on\"}"})
    EXPECT_NE(refusal(text), "accepted") << text;
}

TEST(KeyTables, HoldEachKeyOnceAndSayWhy) {
  for (const KeyTable* table : {&deepspeed_table(), &accelerate_table()}) {
    std::set<std::string_view> keys;
    for (const KeyRow& row : table->rows) {
      EXPECT_TRUE(keys.insert(row.key).second) << row.key << " twice";
      const bool needs_reason = row.does != Does::Map && row.does != Does::Renamed;
      EXPECT_EQ(row.reason.empty(), !needs_reason) << row.key;
      if (row.does == Does::Renamed) {
        EXPECT_TRUE(table->find(row.text) || table->has_section(row.text)) << row.key;
      }
    }
  }
}

}  // namespace
}  // namespace zt::config::foreign
