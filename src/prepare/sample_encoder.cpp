// SPDX-License-Identifier: Apache-2.0
// See sample_encoder.hpp.
#include "prepare/sample_encoder.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "data/sample/crop.hpp"
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
      latents_(options.keep_latents ? store : nullptr, dtype, options.math),
      embeddings_(store, dtype, options.math),
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

at::Tensor SampleEncoder::embedding_input(const image::Image& picture) const {
  image::ClipInputOptions input;
  input.size = static_cast<int>(encoders_.image_encoder->config().image_size);
  return tensor::clip_pixels(picture, input);
}

at::Tensor SampleEncoder::embed(const data::ClipRecord& clip, int64_t frame,
                                const at::Tensor& pixels_BCHW) const {
  const models::ClipEncoder& encoder = *encoders_.image_encoder;
  const at::Tensor embedding_BD = encoder.embed(pixels_BCHW.to(encoders_.device));
  return embeddings_.keep_embedding(clip, frame, encoder.digest(),
                                    embedding_BD.squeeze(0).to(at::kCPU, at::kFloat));
}

Result<EncodedSample> SampleEncoder::encode(const data::SamplePlan& plan) const {
  const at::NoGradGuard no_grad;
  const data::ClipRecord& clip = index_.clips[plan.clip];
  Found found = look_up(plan);
  data::LoadSampleOptions load = options_.load;
  load.parts = found.missing_parts();
  if (load.parts.targets || load.parts.reference || load.parts.reference_whole)
    ZT_TRY(options_.content->check(index_, plan.clip));
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
  sample.embedding_D = found.embedding_D
                           ? *found.embedding_D
                           : embed(clip, plan.reference_frame, embedding_input(loaded.reference_whole));
  sample.pose_3FHW = byte_frames(loaded.poses);
  return sample;
}

/// What the cache lacks of one frame of a clip, and what that is made of once it is loaded.
struct SampleEncoder::Missing {
  int64_t frame = 0;
  std::vector<data::NormBox> crops = {};
  bool embedding = false;
  std::vector<image::Image> cropped = {};  ///< by crop
  at::Tensor whole_BCHW = {};              ///< for the embedding
};

std::vector<SampleEncoder::Missing> SampleEncoder::look_up(const ClipPart& part) const {
  const data::ClipRecord& clip = index_.clips[part.clip];
  const models::ClipEncoder& encoder = *encoders_.image_encoder;
  const std::string codec = encoders_.codec->digest();
  std::vector<Missing> missing;
  for (const int64_t frame : part.frames) {
    Missing of_frame{.frame = frame};
    for (const data::NormBox& crop : part.crops) {
      const FrameCrop where{frame, crop, options_.load.width, options_.load.height};
      if (options_.keep_latents && !latents_.find_moments(clip, where, codec, latent_shape_))
        of_frame.crops.push_back(crop);
    }
    of_frame.embedding =
        !embeddings_.find_embedding(clip, frame, encoder.digest(), encoder.config().projection_dim);
    if (of_frame.embedding || !of_frame.crops.empty()) missing.push_back(std::move(of_frame));
  }
  return missing;
}

Status SampleEncoder::load_missing(const data::ClipRecord& clip, std::vector<Missing>& missing,
                                   data::ClipFile& video) const {
  std::vector<int64_t> numbers;
  for (const Missing& of_frame : missing) numbers.push_back(clip.first_frame + of_frame.frame);
  std::optional<data::DecodeBudget::Share> share;
  if (options_.load.budget) {
    const auto picture_bytes =
        uint64_t{3} * static_cast<uint64_t>(clip.width) * static_cast<uint64_t>(clip.height);
    ZT_TRY_ASSIGN(auto taken, options_.load.budget->take(numbers.size() * picture_bytes));
    share.emplace(std::move(taken));
  }
  ZT_TRY_ASSIGN(const std::vector<image::Image> pictures, video.frames(numbers));
  for (size_t i = 0; i < missing.size(); ++i) {
    for (const data::NormBox& crop : missing[i].crops)
      missing[i].cropped.push_back(
          data::crop_picture(pictures[i], crop, options_.load.width, options_.load.height));
    if (missing[i].embedding) missing[i].whole_BCHW = embedding_input(pictures[i]);
  }
  return {};
}

int64_t SampleEncoder::encode_missing(const data::ClipRecord& clip,
                                      const std::vector<Missing>& missing) const {
  int64_t encoded = 0;
  for (const Missing& of_frame : missing) {
    for (size_t c = 0; c < of_frame.crops.size(); ++c, ++encoded)
      encode_picture(clip, {of_frame.frame, of_frame.crops[c], options_.load.width, options_.load.height},
                     of_frame.cropped[c]);
    if (!of_frame.embedding) continue;
    embed(clip, of_frame.frame, of_frame.whole_BCHW);
    ++encoded;
  }
  return encoded;
}

data::ClipFile SampleEncoder::video_of(size_t clip) const {
  return {index_.path(index_.clips[clip].video), options_.load.tables};
}

Result<int64_t> SampleEncoder::fill_cache(const ClipPart& part, data::ClipFile& video) const {
  const at::NoGradGuard no_grad;
  const data::ClipRecord& clip = index_.clips[part.clip];
  std::vector<Missing> missing = look_up(part);
  if (missing.empty()) return 0;
  ZT_TRY(options_.content->check(index_, part.clip));
  if (Status loaded = load_missing(clip, missing, video); !loaded)
    return fail(std::move(loaded).error().with("while loading clip " + clip.id));
  return encode_missing(clip, missing);
}

}  // namespace zt::prepare
