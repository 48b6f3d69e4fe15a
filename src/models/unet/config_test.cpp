// SPDX-License-Identifier: Apache-2.0
#include "models/unet/config.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace zt::models {
namespace {

/// The keys of Stable Diffusion 1.5's unet/config.json.
constexpr const char* kSd15 = R"({
  "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu", "attention_head_dim": 8,
  "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 768,
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
  "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
  "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]})";

TEST(UNetConfig, ReadsStableDiffusion15) {
  const Result<UNetConfig> config = parse_unet_config(kSd15);

  ASSERT_TRUE(config) << config.error().text();
  UNetConfig expected;  // its defaults are SD 1.5's
  expected.foreign_json = config->foreign_json;
  EXPECT_EQ(*config, expected);
}

TEST(UNetConfig, MissingKeysTakeTheClassDefaults) {
  const Result<UNetConfig> config = parse_unet_config("{}");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->cross_attention_dim, 1280);
  EXPECT_EQ(config->num_heads, std::vector<int64_t>(4, 8));
  EXPECT_FALSE(config->motion.enabled);
}

TEST(UNetConfig, RoundTripsWithForeignKeys) {
  auto json = nlohmann::json::parse(kSd15);
  json["our_secret"] = {{"x", 1}};
  json["attention_head_dim"] = {5, 10, 20, 20};
  const Result<UNetConfig> config = parse_unet_config(json.dump());
  ASSERT_TRUE(config) << config.error().text();

  const std::string written = to_json(*config, UNetClass::Reference2D);
  const auto again = nlohmann::json::parse(written);
  for (const auto& [key, value] : json.items()) EXPECT_EQ(again.at(key), value) << key;
  const Result<UNetConfig> reread = parse_unet_config(written);
  ASSERT_TRUE(reread);
  EXPECT_EQ(reread->num_heads, config->num_heads);
}

TEST(UNetConfig, ThreeDKeysRoundTrip) {
  auto json = nlohmann::json::parse(kSd15);
  json.update(nlohmann::json::parse(R"({
    "use_inflated_groupnorm": true, "unet_use_cross_frame_attention": false, "unet_use_temporal_attention": false,
    "use_motion_module": true, "motion_module_resolutions": [1, 2, 4, 8], "motion_module_mid_block": true,
    "motion_module_decoder_only": false, "motion_module_type": "Vanilla", "motion_module_kwargs": {
      "num_attention_heads": 8, "num_transformer_block": 1, "attention_block_types": ["Temporal_Self", "Temporal_Self"],
      "temporal_position_encoding": true, "temporal_position_encoding_max_len": 32, "temporal_attention_dim_div": 1}})"));
  const Result<UNetConfig> config = parse_unet_config(json.dump());
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_TRUE(config->motion.enabled && config->motion.mid_block && config->motion.zero_initialize);
  EXPECT_EQ(config->motion.max_positions, 32);
  EXPECT_EQ(config->motion.num_attentions, 2);

  const Result<UNetConfig> reread = parse_unet_config(to_json(*config, UNetClass::Denoising3D));
  ASSERT_TRUE(reread) << reread.error().text();
  EXPECT_EQ(reread->motion, config->motion);
}

TEST(UNetConfig, RefusesWhatItCannotCompute) {
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"act_fn", "\"gelu\""},
           {"class_embed_type", "\"timestep\""},
           {"dual_cross_attention", "true"},
           {"down_block_types", "[\"AttnDownBlock2D\"]"},
           {"norm_num_groups", "7"},
           {"norm_num_groups", "0"},
           {"block_out_channels", "\"wide\""},
           {"block_out_channels", "[]"},
           {"block_out_channels", "[320, 640]"},
           {"layers_per_block", "-1"},
           {"in_channels", "1e30"}}) {
    auto json = nlohmann::json::parse(kSd15);
    json[key] = nlohmann::json::parse(value);
    const Result<UNetConfig> config = parse_unet_config(json.dump());
    ASSERT_FALSE(config) << key << " = " << value;
    EXPECT_EQ(config.error().code, ErrorCode::InvalidConfig);
  }
  EXPECT_EQ(parse_unet_config("[1]").error().code, ErrorCode::Corrupt);
  EXPECT_EQ(parse_unet_config("{").error().code, ErrorCode::Corrupt);
}

}  // namespace
}  // namespace zt::models
