// SPDX-License-Identifier: Apache-2.0
// See sample_encoder.hpp.
#include "prepare/sample_encoder.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "data/sample/frame_source.hpp"
#include "prepare/pixels.hpp"
#include "tensor/pictures.hpp"

namespace zt::prepare {

/// What the cache holds of one sample.
struct SampleEncoder::Found {
  std::vector<std::optional<PictureMoments>> targets_F;
  std::optional<PictureMoments> reference;
  std::optional<at::Tensor> embedding_D;

  data::SampleParts missing_parts() const {
    data::SampleParts parts;
    parts.targets = std::any_of(targets_F.begin(), targets_F.end(), [](const auto& t) { return !t; });
    parts.reference = !reference;
    parts.reference_whole = !embedding_D;
    return parts;
  }
};

bool has_fixed_crops(const data::SamplePlanOptions& plan) {
  return plan.crop_mode == data::CropMode::Whole || plan.crop.scale_min >= 1.0 || plan.crop_variants > 0;
}

SampleEncoder::SampleEncoder(const Encoders& encoders, const data::ClipIndex& index, data::CacheStore* store,
                             config::CacheDtype dtype, EncodeOptions options)
    : encoders_(encoders),
      index_(index),
      latents_(options.keep_latents ? store : nullptr, dtype, options.in_tf32),
      embeddings_(store, dtype, options.in_tf32),
      options_(std::move(options)),
      latent_shape_{encoders.codec->channels(), options_.load.height / encoders.codec->scale_factor(),
                    options_.load.width / encoders.codec->scale_factor()} {}

FrameCrop SampleEncoder::frame_crop(const data::SamplePlan& plan, int64_t frame) const {
  return {frame, plan.crop, options_.load.width, options_.load.height};
}

SampleEncoder::Found SampleEncoder::look_up(const data::SamplePlan& plan) const {
  const data::ClipRecord& clip = index_.clips[plan.clip];
  const std::string codec = encoders_.codec->digest();
  Found found;
  for (const int64_t frame : plan.target_frames)
    found.targets_F.push_back(latents_.find_moments(clip, frame_crop(plan, frame), codec, latent_shape_));
  found.reference = latents_.find_moments(clip, frame_crop(plan, plan.reference_frame), codec, latent_shape_);
  found.embedding_D =
      embeddings_.find_embedding(clip, plan.reference_frame, encoders_.image_encoder->digest(),
                                 encoders_.image_encoder->config().projection_dim);
  return found;
}

PictureMoments SampleEncoder::encode_picture(const data::ClipRecord& clip, const FrameCrop& where,
                                             const image::Image& picture) const {
  const at::Tensor pixels_BCHW = signed_pixels(picture).unsqueeze(0).to(encoders_.device);
  const models::Moments moments = encoders_.codec->encode(pixels_BCHW);
  return latents_.keep_moments(clip, where, encoders_.codec->digest(),
                               {moments.mean_BCHW.squeeze(0).to(at::kCPU, at::kFloat),
                                moments.logvar_BCHW.squeeze(0).to(at::kCPU, at::kFloat)});
}

at::Tensor SampleEncoder::embed_picture(const data::ClipRecord& clip, int64_t frame,
                                        const image::Image& picture) const {
  const models::ClipEncoder& encoder = *encoders_.image_encoder;
  image::ClipInputOptions input;
  input.size = static_cast<int>(encoder.config().image_size);
  const at::Tensor pixels_BCHW = tensor::clip_pixels(picture, input).to(encoders_.device);
  return embeddings_.keep_embedding(clip, frame, encoder.digest(),
                                    encoder.embed(pixels_BCHW).squeeze(0).to(at::kCPU, at::kFloat));
}

Result<EncodedSample> SampleEncoder::encode(const data::SamplePlan& plan) const {
  const at::NoGradGuard no_grad;
  const data::ClipRecord& clip = index_.clips[plan.clip];
  Found found = look_up(plan);
  data::LoadSampleOptions load = options_.load;
  load.parts = found.missing_parts();
  if (load.parts.targets || load.parts.reference || load.parts.reference_whole)
    ZT_TRY(content_->check(index_, plan.clip));
  ZT_TRY_ASSIGN(const data::Sample loaded, data::load_sample(index_, plan, load));

  EncodedSample sample;
  sample.plan = plan;
  for (size_t f = 0; f < found.targets_F.size(); ++f) {
    auto& target = found.targets_F[f];
    sample.targets_F.push_back(
        target ? *target : encode_picture(clip, frame_crop(plan, plan.target_frames[f]), loaded.targets[f]));
  }
  sample.reference = found.reference
                         ? *found.reference
                         : encode_picture(clip, frame_crop(plan, plan.reference_frame), loaded.reference);
  sample.embedding_D = found.embedding_D ? *found.embedding_D
                                         : embed_picture(clip, plan.reference_frame, loaded.reference_whole);
  sample.pose_3FHW = byte_frames(loaded.poses);
  return sample;
}

Result<int64_t> SampleEncoder::fill_moments(const data::SamplePlan& plan) const {
  if (!options_.keep_latents) return 0;
  const data::ClipRecord& clip = index_.clips[plan.clip];
  data::SamplePlan missing = plan;
  std::erase_if(missing.target_frames, [&](int64_t frame) {
    return latents_.find_moments(clip, frame_crop(plan, frame), encoders_.codec->digest(), latent_shape_)
        .has_value();
  });
  if (missing.target_frames.empty()) return 0;
  ZT_TRY(content_->check(index_, plan.clip));
  data::LoadSampleOptions load = options_.load;
  load.parts = {.reference = false, .reference_whole = false, .targets = true, .poses = false};
  ZT_TRY_ASSIGN(const data::Sample loaded, data::load_sample(index_, missing, load));
  for (size_t f = 0; f < loaded.targets.size(); ++f)
    encode_picture(clip, frame_crop(plan, missing.target_frames[f]), loaded.targets[f]);
  return static_cast<int64_t>(loaded.targets.size());
}

Result<int64_t> SampleEncoder::fill_embeddings(const data::SamplePlan& plan) const {
  const data::ClipRecord& clip = index_.clips[plan.clip];
  const models::ClipEncoder& encoder = *encoders_.image_encoder;
  std::vector<int64_t> missing = plan.target_frames;
  std::erase_if(missing, [&](int64_t frame) {
    return embeddings_.find_embedding(clip, frame, encoder.digest(), encoder.config().projection_dim)
        .has_value();
  });
  if (missing.empty()) return 0;
  ZT_TRY(content_->check(index_, plan.clip));
  std::vector<int64_t> in_file;
  for (const int64_t frame : missing) in_file.push_back(clip.first_frame + frame);
  ZT_TRY_ASSIGN(data::FrameSource source, data::FrameSource::open(index_.path(clip.video)));
  ZT_TRY_ASSIGN(const std::vector<image::Image> pictures, source.frames(in_file));
  for (size_t i = 0; i < missing.size(); ++i) embed_picture(clip, missing[i], pictures[i]);
  return static_cast<int64_t>(missing.size());
}

Result<int64_t> SampleEncoder::fill_cache(const data::SamplePlan& plan) const {
  const at::NoGradGuard no_grad;
  ZT_TRY_ASSIGN(const int64_t moments, fill_moments(plan));
  ZT_TRY_ASSIGN(const int64_t embeddings, fill_embeddings(plan));
  return moments + embeddings;
}

}  // namespace zt::prepare
