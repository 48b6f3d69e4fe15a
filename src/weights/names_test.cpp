// SPDX-License-Identifier: Apache-2.0
// Pairs of names written from the published files and diffusers' conversion script.
#include "weights/names.hpp"

#include "weights/testing.hpp"

namespace zt::weights {
namespace {

using test::names_of;
using testing::ElementsAre;

std::vector<TensorEntry> named(std::initializer_list<const char*> names) {
  std::vector<TensorEntry> out;
  for (const char* name : names) out.push_back({name, DType::F32, {0}, {}});
  return out;
}

TEST(Names, WrappersOfTrainingProgramsComeOff) {
  EXPECT_THAT(names_of(unwrap(named({"a", "b.module.c"}))), ElementsAre("a", "b.module.c"));
  EXPECT_THAT(names_of(unwrap(named({"module.a", "module.b"}))), ElementsAre("a", "b"));
  EXPECT_THAT(names_of(unwrap(named({"module.a", "b"}))), ElementsAre("module.a", "b"));
  EXPECT_THAT(
      names_of(unwrap(named({"state_dict.module.a", "optimizer.state.0.step", "state_dict.module.b"}))),
      ElementsAre("a", "b"));
}

TEST(Names, OldVaeAttentionBecomesNew) {
  const std::string block = "decoder.mid_block.attentions.0.";
  EXPECT_EQ(vae_name(block + "query.weight"), block + "to_q.weight");
  EXPECT_EQ(vae_name(block + "key.bias"), block + "to_k.bias");
  EXPECT_EQ(vae_name(block + "value.weight"), block + "to_v.weight");
  EXPECT_EQ(vae_name(block + "proj_attn.bias"), block + "to_out.0.bias");
  EXPECT_EQ(vae_name(block + "group_norm.weight"), block + "group_norm.weight");
  EXPECT_EQ(vae_name(block + "to_q.weight"), block + "to_q.weight");
  EXPECT_EQ(vae_name("quant_conv.weight"), "quant_conv.weight");
}

TEST(Names, AnimateDiffNamesAreOursAndOtherTensorsStayOut) {
  const std::string pe =
      "mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.1.pos_encoder."
      "pe";
  EXPECT_EQ(motion_name(pe), pe);
  EXPECT_EQ(motion_name("down_blocks.0.resnets.0.norm1.weight"), std::nullopt);
}

TEST(Names, MotionAdapterMapsBothWays) {
  const std::pair<const char*, const char*> pairs[] = {
      {"norm.weight", "norm.weight"},
      {"proj_in.bias", "proj_in.bias"},
      {"proj_out.weight", "proj_out.weight"},
      {"transformer_blocks.0.attn1.to_q.weight", "transformer_blocks.0.attention_blocks.0.to_q.weight"},
      {"transformer_blocks.0.attn2.to_out.0.bias", "transformer_blocks.0.attention_blocks.1.to_out.0.bias"},
      {"transformer_blocks.0.norm1.weight", "transformer_blocks.0.norms.0.weight"},
      {"transformer_blocks.0.norm2.bias", "transformer_blocks.0.norms.1.bias"},
      {"transformer_blocks.0.norm3.weight", "transformer_blocks.0.ff_norm.weight"},
      {"transformer_blocks.0.ff.net.0.proj.weight", "transformer_blocks.0.ff.net.0.proj.weight"},
      {"transformer_blocks.1.norm3.weight", "transformer_blocks.1.ff_norm.weight"},
  };
  for (const auto& [adapter, ours] : pairs) {
    for (const std::string prefix : {"down_blocks.3.motion_modules.1.", "mid_block.motion_modules.0."}) {
      EXPECT_EQ(motion_name(prefix + adapter), prefix + "temporal_transformer." + ours);
      EXPECT_EQ(motion_adapter_name(prefix + "temporal_transformer." + ours), prefix + adapter);
    }
  }
}

TEST(Names, PositionTablesAreNotExchangedWithMotionAdapter) {
  EXPECT_EQ(motion_name("up_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe"), std::nullopt);
  EXPECT_EQ(motion_adapter_name(
                "up_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0."
                "pos_encoder.pe"),
            std::nullopt);
}

TEST(Names, PoseGuiderTakesItsPartOfAControlNet) {
  const auto control_net =
      named({"conv_in.weight", "controlnet_cond_embedding.conv_in.weight",
             "controlnet_cond_embedding.blocks.5.bias", "controlnet_cond_embedding.conv_out.weight"});
  EXPECT_THAT(names_of(rename(control_net, pose_guider_rule(control_net)).value()),
              ElementsAre("conv_in.weight", "blocks.5.bias"));

  const auto guider = named({"conv_in.weight", "conv_out.weight"});
  EXPECT_THAT(names_of(rename(guider, pose_guider_rule(guider)).value()),
              ElementsAre("conv_in.weight", "conv_out.weight"));
}

TEST(Names, ClipKeepsItsVisionHalf) {
  const auto full = named({"vision_model.post_layernorm.weight", "visual_projection.weight",
                           "text_model.final_layer_norm.bias", "logit_scale", "text_projection.weight",
                           "vision_model.embeddings.position_ids"});
  EXPECT_THAT(names_of(rename(full, clip_vision_name).value()),
              ElementsAre("vision_model.post_layernorm.weight", "visual_projection.weight"));
}

TEST(Names, TwoTensorsForOneNameAreRefused) {
  const std::string block = "encoder.mid_block.attentions.0.";
  const std::vector<TensorEntry> mixed = {{block + "query.weight", DType::F32, {0}, {}},
                                          {block + "to_q.weight", DType::F32, {0}, {}}};
  EXPECT_TRUE(test::fails_with(rename(mixed, vae_name), ErrorCode::Corrupt));
}

}  // namespace
}  // namespace zt::weights
