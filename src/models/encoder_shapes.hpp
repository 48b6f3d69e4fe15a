// SPDX-License-Identifier: Apache-2.0
// How large the frozen encoders of a job and their results are, known before their weights are read: what
// the checks of a job's sizes and memory plans need.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "config/job/data_job.hpp"
#include "config/job/model_job.hpp"
#include "models/clip_vision/clip_vision.hpp"
#include "models/pose_guider/pose_guider.hpp"
#include "models/vae/autoencoder_kl.hpp"

namespace zt::models {

struct LatentShape {
  int64_t channels = 4;
  int64_t scale_factor = 8;  ///< pixels per latent pixel and side
  bool is_random = true;     ///< a picture's latents are drawn: mean and variance are kept of each
  int64_t num_weights = 0;   ///< elements of the codec
  /// Channels at picture size that encoding holds at once: input, output and convolution buffer of the VAE's
  /// first layers.
  int64_t channels_at_work = 3;
};

/// Of the codec that the job would open: from vae_model_path's config.json, else from the inline sizes.
/// Errors: those of reading that file; InvalidConfig for sizes that can't be.
Result<LatentShape> latent_shape(const config::ModelJob& job);

/// The VAE of inline sizes. Errors: InvalidConfig for sizes that can't be.
Result<VaeConfig> inline_vae(const config::CodecShape& shape);

/// Of the image encoder that the job would open: from image_encoder_path's config.json, else from the inline
/// sizes and the UNets' context width. Errors: as latent_shape().
Result<ClipVisionConfig> image_encoder_config(const config::ModelJob& job);

/// Errors: InvalidConfig, naming data.width and data.height, unless pictures of that size are whole latents.
Status check_picture_size(const config::DataJob& data, int64_t scale_factor);
/// Errors: InvalidConfig unless a feature of the guider lies on every latent.
Status check_guider(const PoseGuiderConfig& guider, int64_t scale_factor);

}  // namespace zt::models
