// SPDX-License-Identifier: Apache-2.0
// The smallest networks that have every kind of block.
#pragma once

#include "config/job/model_job.hpp"

namespace zt::test {

/// For latents of 4 channels.
inline config::ModelJob small_model() {
  config::ModelJob job;
  job.unet.block_out_channels = {8, 16};
  job.unet.layers_per_block = 1;
  job.unet.num_heads = 2;
  job.unet.norm_num_groups = 4;
  job.unet.cross_attention_dim = 12;
  job.motion.num_heads = 2;
  job.motion.norm_num_groups = 4;
  job.motion.max_len = 6;
  job.pose_guider.block_out_channels = {4, 8, 8};
  job.image_encoder = {.image_size = 8,
                       .patch_size = 4,
                       .hidden_size = 8,
                       .intermediate_size = 16,
                       .num_layers = 1,
                       .num_heads = 2};
  job.codec.block_out_channels = {4, 8, 8};
  job.codec.layers_per_block = 1;
  job.codec.norm_num_groups = 4;
  return job;
}

}  // namespace zt::test
