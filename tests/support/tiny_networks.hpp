// SPDX-License-Identifier: Apache-2.0
// Networks small enough to train a step in milliseconds, with every kind of layer, and made-up samples for
// them.
#pragma once

#include <ATen/ATen.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "config/job/train_job.hpp"
#include "models/network_set.hpp"
#include "prepare/sample_encoder.hpp"
#include "tensor/noise.hpp"
#include "train/pass/run_rules.hpp"

namespace zt::test {

inline constexpr int64_t kTinyChannels = 4;  ///< of latents
inline constexpr int64_t kTinyPicture = 16;  ///< pixels; latents are 4 x 4
inline constexpr int64_t kTinyContext = 16;

/// Two levels of width 32, 16 x 16 pictures, no files.
inline config::TrainJob tiny_job(int64_t stage = 1) {
  config::TrainJob job;
  job.stage = stage;
  job.seed = 3;
  job.freeze = {};
  config::UNetShape& unet = job.model.unet;
  unet.block_out_channels = {32, 32};
  unet.layers_per_block = 1;
  unet.num_heads = 2;
  unet.norm_num_groups = 8;
  unet.cross_attention_dim = kTinyContext;
  unet.attention_levels = {0, 1};
  job.model.motion.num_heads = 2;
  job.model.motion.norm_num_groups = 8;
  job.model.motion.max_len = 8;
  job.model.pose_guider.block_out_channels = {8, 8, 16};
  job.model.pose_init = config::PoseInit::KeepSignal;
  job.model.codec.kind = config::CodecKind::Linear;
  job.model.codec.latent_channels = kTinyChannels;
  config::ImageEncoderShape& encoder = job.model.image_encoder;
  encoder.image_size = 16;
  encoder.patch_size = 8;
  encoder.hidden_size = 16;
  encoder.intermediate_size = 32;
  encoder.num_layers = 1;
  encoder.num_heads = 2;
  job.data.train_bs = 2;
  job.data.width = job.data.height = static_cast<int64_t>(kTinyPicture);
  job.data.n_sample_frames = 3;
  job.optimizer.learning_rate = 1e-3;
  job.optimizer.max_grad_norm = 1;
  return job;
}

/// The job's networks at start values.
inline models::NetworkSet tiny_networks(const config::TrainJob& job,
                                        const params::ResidencyRule& residency = {},
                                        at::Device device = at::kCPU) {
  const auto configs = models::network_configs(job.model, kTinyChannels, job.stage == 2);
  if (!configs) throw std::runtime_error(configs.error().text());
  models::BuildOptions options;
  options.motion = job.stage == 2;
  options.placement = train::placement_rule(job, models::declare_networks(*configs));
  options.seed = static_cast<uint64_t>(job.seed);
  options.residency = residency;
  options.device = device;
  return models::make_networks(*configs, options);
}

/// Samples number first, first + 1, ... with latents and poses made of noise.
inline std::vector<prepare::EncodedSample> noise_samples(const config::TrainJob& job, uint64_t first,
                                                         size_t count) {
  const int64_t frames = job.stage == 2 ? job.data.n_sample_frames : 1;
  const int64_t side = kTinyPicture / job.model.codec.patch;
  std::vector<prepare::EncodedSample> samples(count);
  for (size_t i = 0; i < count; ++i) {
    prepare::EncodedSample& sample = samples[i];
    sample.plan.sample = first + i;
    const auto noise = [&](at::IntArrayRef shape, uint32_t purpose) {
      return tensor::normal(shape, {99, purpose, first + i});
    };
    for (int64_t f = 0; f < frames; ++f)
      sample.targets_F.push_back({noise({kTinyChannels, side, side}, 10 + static_cast<uint32_t>(f)), {}});
    sample.reference = {noise({kTinyChannels, side, side}, 1), {}};
    sample.embedding_D = noise({kTinyContext}, 2);
    sample.pose_3FHW =
        tensor::uniform({3, frames, kTinyPicture, kTinyPicture}, {99, 3, first + i}, 0, 255).to(at::kByte);
  }
  return samples;
}

}  // namespace zt::test
