// SPDX-License-Identifier: Apache-2.0
// Construction of the trunk: names, widths and units. The walk through it is in trunk_forward.cpp.
#include "models/unet/trunk.hpp"

#include <algorithm>

#include "nn/tail_group.hpp"
#include "tensor/require.hpp"

namespace zt::models {

/// Where a layer sits and what it has.
struct LayerPlan {
  std::string block;  ///< "down_blocks.0"
  int64_t index = 0;
  int64_t level = 0;  ///< for heads and width
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  bool has_attention = false;
  bool has_motion = false;
};

namespace {

size_t count_attentions(const UNetConfig& config) {
  size_t count = 1;  // the middle block
  for (size_t level = 0; level < config.block_out_channels.size(); ++level) {
    const auto layers = static_cast<size_t>(config.layers_per_block[level]);
    if (config.down_has_attention[level]) count += layers;
    const auto up_layers =
        static_cast<size_t>(config.layers_per_block[config.layers_per_block.size() - 1 - level]) + 1;
    if (config.up_has_attention[level]) count += up_layers;
  }
  return count;
}

nn::ResnetOptions resnet_options(const UNetConfig& config, int64_t in_channels, int64_t out_channels) {
  return {.in_channels = in_channels,
          .out_channels = out_channels,
          .time_width = config.time_embedding_width(),
          .norm_num_groups = config.norm_num_groups,
          .norm_eps = config.norm_eps,
          .norm_over_frames = !config.use_inflated_groupnorm};
}

nn::MotionModuleOptions motion_options(const MotionConfig& motion, int64_t channels) {
  return {.channels = channels,
          .heads = motion.num_heads,
          .norm_num_groups = motion.norm_num_groups,
          .num_blocks = motion.num_blocks,
          .num_attentions = motion.num_attentions,
          .position_encoding = motion.position_encoding,
          .max_positions = motion.max_positions,
          .attention_dim_div = motion.attention_dim_div,
          .zero_initialize = motion.zero_initialize};
}

}  // namespace

UNetTrunk::UNetTrunk(const UNetConfig& config, const params::ParamSource& source, Role role)
    : role_(role), num_attentions_(count_attentions(config)) {
  const params::ParamSource entrance = source.unit("conv_in");
  entrance_ = nn::Unit(entrance);
  conv_in_ = nn::Conv2d(entrance.child("conv_in"), config.in_channels, config.block_out_channels.front());
  time_embedding_ = nn::TimeEmbedding(entrance.child("time_embedding"),
                                      {.width = config.block_out_channels.front(),
                                       .cos_first = config.flip_sin_to_cos,
                                       .freq_shift = config.freq_shift},
                                      config.time_embedding_width());
  build_down(config, source);
  build_middle(config, source);
  build_up(config, source);
}

params::ParamSource UNetTrunk::live_or_tail(const params::ParamSource& source) const {
  const bool is_behind_last_attention = attention_paths_.size() == num_attentions_;
  return role_ == Role::Writer && is_behind_last_attention ? source.group(nn::kTailGroup) : source;
}

UNetLayer UNetTrunk::build_layer(const UNetConfig& config, const params::ParamSource& network,
                                 const LayerPlan& plan) {
  const params::ParamSource source = live_or_tail(network).child(plan.block);
  UNetLayer layer;
  layer.unit = nn::Unit(source);
  layer.resnet = nn::ResnetBlock(source.child("resnets", plan.index),
                                 resnet_options(config, plan.in_channels, plan.out_channels));
  if (plan.has_attention) {
    layer.bank_index = attention_paths_.size();
    attention_paths_.push_back(plan.block + ".attentions." + std::to_string(plan.index) +
                               ".transformer_blocks.0");
    layer.attention = nn::SpatialTransformer(
        source.child("attentions", plan.index),
        {.channels = plan.out_channels,
         .heads = config.num_heads[static_cast<size_t>(plan.level)],
         .context_width = config.cross_attention_dim,
         .norm_num_groups = config.norm_num_groups,
         .linear_projection = config.use_linear_projection,
         .ends_at_norm1 = role_ == Role::Writer && attention_paths_.size() == num_attentions_});
  }
  if (plan.has_motion) {
    layer.motion = nn::MotionModule(source.child("motion_modules", plan.index),
                                    motion_options(config.motion, plan.out_channels));
  }
  return layer;
}

void UNetTrunk::build_down(const UNetConfig& config, const params::ParamSource& source) {
  int64_t channels = config.block_out_channels.front();
  for (int64_t level = 0; level < config.num_levels(); ++level) {
    const auto at_level = static_cast<size_t>(level);
    const std::string block = "down_blocks." + std::to_string(level);
    const int64_t width = config.block_out_channels[at_level];
    UNetLevel built;
    for (int64_t j = 0; j < config.layers_per_block[at_level]; ++j) {
      built.layers.push_back(build_layer(config, source.unit(block + ".layers." + std::to_string(j)),
                                         {.block = block,
                                          .index = j,
                                          .level = level,
                                          .in_channels = channels,
                                          .out_channels = width,
                                          .has_attention = config.down_has_attention[at_level],
                                          .has_motion = config.has_motion_at(level, /*is_up=*/false)}));
      channels = width;
    }
    if (level + 1 < config.num_levels()) {
      const params::ParamSource downsampler = source.unit(block + ".downsampler").child(block);
      built.resample_unit = nn::Unit(downsampler);
      built.resample = nn::Conv2d(downsampler.child("downsamplers.0.conv"), width, width,
                                  {.stride = 2, .padding = config.downsample_padding});
    }
    down_.push_back(std::move(built));
  }
}

void UNetTrunk::build_middle(const UNetConfig& config, const params::ParamSource& source) {
  const int64_t width = config.block_out_channels.back();
  middle_ = build_layer(config, source.unit("mid_block.0"),
                        {.block = "mid_block",
                         .index = 0,
                         .level = config.num_levels() - 1,
                         .in_channels = width,
                         .out_channels = width,
                         .has_attention = true,
                         .has_motion = config.motion.enabled && config.motion.mid_block});
  const params::ParamSource end = live_or_tail(source.unit("mid_block.1")).child("mid_block");
  middle_end_unit_ = nn::Unit(end);
  middle_end_ = nn::ResnetBlock(end.child("resnets.1"), resnet_options(config, width, width));
}

void UNetTrunk::build_up(const UNetConfig& config, const params::ParamSource& source) {
  // Skips are pushed by conv_in, every down layer and every downsampler, and popped here from the end.
  std::vector<int64_t> skips = {config.block_out_channels.front()};
  for (size_t level = 0; level < config.block_out_channels.size(); ++level) {
    for (int64_t j = 0; j < config.layers_per_block[level]; ++j)
      skips.push_back(config.block_out_channels[level]);
    if (level + 1 < config.block_out_channels.size()) skips.push_back(config.block_out_channels[level]);
  }
  int64_t channels = config.block_out_channels.back();
  for (int64_t i = 0; i < config.num_levels(); ++i) {
    const int64_t level = config.num_levels() - 1 - i;
    const std::string block = "up_blocks." + std::to_string(i);
    const int64_t width = config.block_out_channels[static_cast<size_t>(level)];
    UNetLevel built;
    for (int64_t j = 0; j < config.layers_per_block[static_cast<size_t>(level)] + 1; ++j) {
      built.layers.push_back(build_layer(config, source.unit(block + ".layers." + std::to_string(j)),
                                         {.block = block,
                                          .index = j,
                                          .level = level,
                                          .in_channels = channels + skips.back(),
                                          .out_channels = width,
                                          .has_attention = config.up_has_attention[static_cast<size_t>(i)],
                                          .has_motion = config.has_motion_at(i, /*is_up=*/true)}));
      skips.pop_back();
      channels = width;
    }
    if (i + 1 < config.num_levels()) {
      const params::ParamSource upsampler = live_or_tail(source.unit(block + ".upsampler")).child(block);
      built.resample_unit = nn::Unit(upsampler);
      built.resample = nn::Conv2d(upsampler.child("upsamplers.0.conv"), width, width);
    }
    up_.push_back(std::move(built));
  }
}

}  // namespace zt::models
