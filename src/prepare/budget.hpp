// SPDX-License-Identifier: Apache-2.0
// What encoding a job's pictures will take, before it takes it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/process/resources.hpp"
#include "config/job/data_job.hpp"
#include "config/job/model_job.hpp"
#include "data/clip_index.hpp"
#include "data/sample/sample_plan.hpp"
#include "models/encoder_shapes.hpp"

namespace zt::prepare {

/// The frozen encoders of a job, by their config.json files or inline sizes.
struct EncoderShapes {
  models::LatentShape latents;
  models::ClipVisionConfig image_encoder;
};
/// Errors: those of models::latent_shape() and models::image_encoder_config().
Result<EncoderShapes> encoder_shapes(const config::ModelJob& model);

/// Weights of both encoders in `processes` processes.
resources::Demand encoder_demand(const EncoderShapes& shapes, int64_t processes = 1);

/// The codec's encoder at work on one picture per thread: an estimate.
resources::Demand encoding_demand(const EncoderShapes& shapes, const data::SamplePlanOptions& plan,
                                  size_t num_threads);

/// Pictures decoded at once: bounded by data.decode_memory_mib. Not counted: the decoder that each thread of
/// build_cache() keeps open, with its reference frames (some 200 MB for 4K).
resources::Demand decoding_demand(const data::ClipIndex& clips, const config::DataJob& data,
                                  size_t num_threads, int64_t batch_frames);

/// The pictures that a linear codec is fitted to, as numbers, while they are put together.
resources::Demand fit_demand(const config::ModelJob& model, const config::DataJob& data, size_t num_clips);

/// What the cache still lacks at least of the entries of at most `max_frames` frames, when it holds
/// `held_bytes`, of whatever data set; never more than its size limit leaves.
resources::Demand cache_demand(const config::CacheSettings& cache, const EncoderShapes& shapes,
                               const data::ClipIndex& clips, const data::SamplePlanOptions& plan,
                               int64_t max_frames, uint64_t held_bytes);

inline constexpr std::string_view kCacheAdvice =
    "free space, choose another cache.folder, lower cache.size_limit_mib, or set cache.enable: false";
inline constexpr std::string_view kFitAdvice =
    "lower model.codec.fit_pictures, data.width or data.height, or set model.vae_model_path";
inline constexpr std::string_view kEncodeAdvice = "lower threads, data.width or data.height";

}  // namespace zt::prepare
