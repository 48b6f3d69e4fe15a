// SPDX-License-Identifier: Apache-2.0
// For tests: the smallest networks that have every kind of block, untrained.
#pragma once

#include "config/job/model_job.hpp"

namespace zt::test {

inline config::ModelJob small_model() {
  config::ModelJob job;
  job.allow_random_start = true;
  job.unet.block_out_channels = {32, 32};
  job.unet.layers_per_block = 1;
  job.unet.num_heads = 2;
  job.unet.norm_num_groups = 8;
  job.unet.cross_attention_dim = 16;
  job.motion.num_heads = 2;
  job.motion.norm_num_groups = 8;
  job.motion.max_len = 8;
  job.pose_guider.block_out_channels = {8, 8, 8};
  job.image_encoder = {.image_size = 16,
                       .patch_size = 8,
                       .hidden_size = 16,
                       .intermediate_size = 16,
                       .num_layers = 1,
                       .num_heads = 2};
  job.codec.block_out_channels = {8, 8, 8};
  job.codec.layers_per_block = 1;
  job.codec.norm_num_groups = 4;
  return job;
}

}  // namespace zt::test
