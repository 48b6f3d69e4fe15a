// SPDX-License-Identifier: Apache-2.0
// Names and sizes without allocating anything. Expected counts: of the modules that
// Moore-AnimateAnyone builds (its src/models, configs/inference/inference_v2.yaml, SD 1.5's config.json).
#include <gtest/gtest.h>

#include "models/clip_vision/clip_vision.hpp"
#include "models/denoising_unet/denoising_unet.hpp"
#include "models/pose_guider/pose_guider.hpp"
#include "models/reference_net/reference_net.hpp"
#include "models/unet/config.hpp"
#include "models/vae/vae_codec.hpp"

namespace zt::models {
namespace {

template <class Net, class Config>
params::ParamTable declare(const Config& config) {
  params::ParamTable table;
  Net(config, params::ParamSource(table, "net"));
  return table;
}

UNetConfig sd15_with_motion() {
  UNetConfig config;
  config.motion.enabled = config.motion.mid_block = true;
  config.motion.max_positions = 32;
  return config;
}

TEST(Counts, ReferenceNetOfSd15) {
  const params::ParamTable table = declare<ReferenceNet>(UNetConfig{});
  EXPECT_EQ(table.num_elements(), 859'508'800);
  EXPECT_EQ(table.num_tensors(), 682u);
  EXPECT_EQ(table.num_elements("net.conv_in."), 11'840);
  EXPECT_EQ(table.num_elements("net.time_embedding."), 2'050'560);
  EXPECT_EQ(table.num_elements("net.down_blocks.0."), 10'524'480);
  EXPECT_EQ(table.num_elements("net.down_blocks.1."), 36'818'560);
  EXPECT_EQ(table.num_elements("net.down_blocks.2."), 139'992'320);
  EXPECT_EQ(table.num_elements("net.down_blocks.3."), 62'277'120);
  EXPECT_EQ(table.num_elements("net.mid_block."), 97'038'080);
  EXPECT_EQ(table.num_elements("net.up_blocks.0."), 162'241'280);
  EXPECT_EQ(table.num_elements("net.up_blocks.1."), 258'330'880);
  EXPECT_EQ(table.num_elements("net.up_blocks.2."), 71'413'120);
  EXPECT_EQ(table.num_elements("net.up_blocks.3."), 18'810'560);
}

TEST(Counts, DenoisingUNetOfSd15) {
  const params::ParamTable stage1 = declare<DenoisingUNet>(UNetConfig{});
  EXPECT_EQ(stage1.num_elements(), 859'520'964);
  EXPECT_EQ(stage1.num_tensors(), 686u);

  const params::ParamTable stage2 = declare<DenoisingUNet>(sd15_with_motion());
  EXPECT_EQ(stage2.num_elements(), 1'312'730'244);
  EXPECT_EQ(stage2.num_tensors(), 1274u);
  EXPECT_EQ(stage2.num_elements("net.down_blocks.0.motion_modules.0."), 2'259'520);
  EXPECT_EQ(stage2.num_elements("net.down_blocks.1.motion_modules.0."), 9'024'640);
  EXPECT_EQ(stage2.num_elements("net.mid_block.motion_modules.0."), 36'071'680);
  size_t motion_tensors = 0, buffers = 0;
  for (const params::ParamInfo& info : stage2.params()) {
    if (info.name.find(".motion_modules.") == std::string::npos) continue;
    ++(info.is_buffer ? buffers : motion_tensors);
  }
  EXPECT_EQ(motion_tensors, 546u);
  EXPECT_EQ(buffers, 42u);
}

TEST(Counts, PoseGuiders) {
  EXPECT_EQ(declare<PoseGuider>(PoseGuiderConfig{}).num_elements(), 1'086'480);
  EXPECT_EQ(declare<PoseGuider>(PoseGuiderConfig{}).num_tensors(), 16u);
  EXPECT_EQ(declare<PoseGuider>(PoseGuiderConfig{.block_out_channels = {16, 32, 64, 128}}).num_elements(),
            514'896);
}

TEST(Counts, FrozenNetworks) {
  const VaeConfig vae{.block_out_channels = {128, 256, 512, 512}, .layers_per_block = 2};
  EXPECT_EQ(VaeCodec::declare(vae).num_elements(), 83'653'863);
  EXPECT_EQ(VaeCodec::declare(vae).num_tensors(), 248u);
  const ClipVisionConfig clip{.hidden_size = 1024,
                              .intermediate_size = 4096,
                              .num_layers = 24,
                              .num_heads = 16,
                              .patch_size = 14,
                              .projection_dim = 768};
  EXPECT_EQ(ClipEncoder::declare(clip).num_elements(), 303'966'208);
  EXPECT_EQ(ClipEncoder::declare(clip).num_tensors(), 392u);
}

TEST(Counts, Tiny64OfTheSpecification) {
  UNetConfig config;
  config.in_channels = config.out_channels = 8;
  config.block_out_channels = {32, 64, 96, 96};
  config.layers_per_block = {1, 1, 1, 1};
  config.num_heads = {2, 2, 2, 2};
  config.norm_num_groups = 8;
  config.cross_attention_dim = 64;
  EXPECT_EQ(declare<ReferenceNet>(config).num_elements(), 3'707'584);
  EXPECT_EQ(declare<DenoisingUNet>(config).num_elements(), 3'709'960);
  config.motion.enabled = config.motion.mid_block = true;
  EXPECT_EQ(declare<DenoisingUNet>(config).num_elements() - 3'709'960, 1'777'344);
  const PoseGuiderConfig pose{.embedding_channels = 32, .block_out_channels = {16, 32, 64}};
  EXPECT_EQ(declare<PoseGuider>(pose).num_elements(), 53'616);
}

TEST(Counts, UnitsOfABlockAreItsLayersAndItsResampler) {
  const std::vector<std::string> units = declare<DenoisingUNet>(UNetConfig{}).units();
  // conv_in, 4 x 2 layers + 3 downsamplers, 2 of mid, 4 x 3 layers + 3 upsamplers, head.
  EXPECT_EQ(units.size(), 1u + 8 + 3 + 2 + 12 + 3 + 1);
  EXPECT_EQ(units.front(), "net.conv_in");
  EXPECT_EQ(units[3], "net.down_blocks.0.downsampler");
  EXPECT_EQ(units.back(), "net.head");
}

TEST(Counts, BehindTheLastNorm1IsTheTail) {
  const params::ParamTable table = declare<ReferenceNet>(UNetConfig{});
  const std::string last = "net.up_blocks.3.attentions.2.transformer_blocks.0.";
  EXPECT_EQ(table.find(last + "norm1.weight")->group, "net");
  EXPECT_EQ(table.find(last + "attn1.to_q.weight")->group, "net.tail");
  EXPECT_EQ(table.find("net.up_blocks.3.attentions.2.proj_out.weight")->group, "net.tail");
  EXPECT_EQ(table.find("net.up_blocks.3.attentions.1.proj_out.weight")->group, "net");
}

}  // namespace
}  // namespace zt::models
