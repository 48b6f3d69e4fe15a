// SPDX-License-Identifier: Apache-2.0
// See budget.hpp.
#include "prepare/budget.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text/text.hpp"
#include "data/cache_store.hpp"
#include "prepare/run_encoders.hpp"
#include "prepare/sample_encoder.hpp"

namespace zt::prepare {
namespace {

using resources::kFloatBytes;
using resources::product;

int64_t frames_of(const data::ClipIndex& clips) {
  int64_t frames = 0;
  for (const data::ClipRecord& clip : clips.clips) frames += clip.num_frames;
  return frames;
}

}  // namespace

Result<EncoderShapes> encoder_shapes(const config::ModelJob& model) {
  EncoderShapes shapes;
  ZT_TRY_ASSIGN(shapes.latents, models::latent_shape(model));
  ZT_TRY_ASSIGN(shapes.image_encoder, models::image_encoder_config(model));
  return shapes;
}

resources::Demand encoder_demand(const EncoderShapes& shapes, int64_t processes) {
  const int64_t weights =
      shapes.latents.num_weights + models::ClipEncoder::declare(shapes.image_encoder).num_elements();
  const std::string times = processes > 1 ? fmt::format(" x {} ranks", processes) : "";
  return {fmt::format("codec and image encoder ({} x 4 B{})", weights, times),
          product({weights, processes}) * kFloatBytes};
}

resources::Demand encoding_demand(const EncoderShapes& shapes, const data::SamplePlanOptions& plan,
                                  size_t num_threads) {
  const int64_t channels = shapes.latents.channels_at_work;
  return {fmt::format("encoding a picture of {} x {} on each of {} threads ({} channels, estimate)",
                      plan.width, plan.height, num_threads, channels),
          product({static_cast<int64_t>(num_threads), channels, plan.width, plan.height}) * kFloatBytes};
}

resources::Demand decoding_demand(const data::ClipIndex& clips, const config::DataJob& data,
                                  size_t num_threads, int64_t batch_frames) {
  uint64_t largest = 0;
  for (const data::ClipRecord& clip : clips.clips)
    largest = std::max(largest, product({3, clip.width, clip.height}));
  const uint64_t asked = largest * product({static_cast<int64_t>(num_threads), batch_frames});
  return {"decoded pictures (at most data.decode_memory_mib)",
          std::min(asked, static_cast<uint64_t>(data.decode_memory_mib) << 20)};
}

resources::Demand fit_demand(const config::ModelJob& model, const config::DataJob& data, size_t num_clips) {
  const int64_t pictures = num_fit_pictures(model, num_clips);
  // Each by itself first, then all in one tensor.
  return {fmt::format("fitting the linear codec to {} pictures of {} x {} (2 x 3 x 4 B a pixel)", pictures,
                      data.width, data.height),
          product({2, 3, pictures, data.width, data.height}) * kFloatBytes};
}

resources::Demand cache_demand(const config::CacheSettings& cache, const EncoderShapes& shapes,
                               const data::ClipIndex& clips, const data::SamplePlanOptions& plan,
                               int64_t max_frames, uint64_t held_bytes) {
  const models::LatentShape& latents = shapes.latents;
  const int64_t element = cache.dtype == config::CacheDtype::Fp32 ? 4 : 2;
  uint64_t each = data::CacheStore::disk_bytes_of(product({shapes.image_encoder.projection_dim, element}));
  if (has_fixed_crops(plan))
    each += product({std::max<int64_t>(1, plan.crop_variants)}) *
            data::CacheStore::disk_bytes_of(
                product({latents.channels, latents.is_random ? 2 : 1, plan.width / latents.scale_factor,
                         plan.height / latents.scale_factor, element}));
  const int64_t frames = std::min(frames_of(clips), max_frames);
  const uint64_t limit = static_cast<uint64_t>(cache.size_limit_mib) << 20;
  const uint64_t entries = each * product({frames});
  const bool is_limited = limit > 0 && entries > limit;
  const uint64_t grows_to = is_limited ? limit : entries;
  return {fmt::format("{} encoded frames in the cache ({} each{}), less {} that it holds", frames,
                      text::bytes(each), is_limited ? ", up to cache.size_limit_mib" : "",
                      text::bytes(held_bytes)),
          grows_to - std::min(grows_to, held_bytes)};
}

}  // namespace zt::prepare
