// SPDX-License-Identifier: Apache-2.0
// From a sample's plan to what the networks train on: latent moments of target and reference frames, the
// image embedding of the uncropped reference, and the drawn poses. Only what the cache lacks is decoded and
// encoded. Every picture goes through an encoder alone, so its numbers do not depend on the samples around
// it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "data/content_digest.hpp"
#include "data/sample/clip_file.hpp"
#include "data/sample/load_sample.hpp"
#include "data/sample/sample_plan.hpp"
#include "models/clip_vision/clip_vision.hpp"
#include "models/latent_codec.hpp"
#include "prepare/encoded_store.hpp"

namespace zt::prepare {

/// The frozen networks in front of training.
struct Encoders {
  std::unique_ptr<models::LatentCodec> codec;
  std::unique_ptr<models::ClipEncoder> image_encoder;
  at::Device device = at::kCPU;
};

/// One training sample, encoded, on the CPU. Shapes: F frames, C latent channels, h w latent size, H W
/// picture size.
struct EncodedSample {
  data::SamplePlan plan;
  std::vector<PictureMoments> targets_F;
  PictureMoments reference;
  at::Tensor embedding_D;
  at::Tensor pose_3FHW;  ///< bytes
};

struct EncodeOptions {
  data::LoadSampleOptions load;  ///< size and pose drawing; `parts` is chosen per sample
  bool keep_latents = true;      ///< false where crops are random: an entry would never be found again
  tensor::GpuMath math;          ///< how the encoders compute (EncodedStore); the default on a CPU
  /// Shared by all encoders that are made with copies of these options: footage is compared once.
  std::shared_ptr<data::ContentCheck> content = std::make_shared<data::ContentCheck>();
};

/// Frames of a clip, inside the shot, in every crop that samples of it can have.
struct ClipPart {
  size_t clip = 0;
  std::vector<int64_t> frames;
  std::vector<data::NormBox> crops;
};

/// Whether samples of this plan come back with the same crops.
bool has_fixed_crops(const data::SamplePlanOptions& plan);

/// Threads: encode() from any thread.
class SampleEncoder {
 public:
  /// Everything given by reference must outlive the encoder. `store` may be null (no cache).
  SampleEncoder(const Encoders& encoders, const data::ClipIndex& index, data::CacheStore* store,
                config::CacheDtype dtype, EncodeOptions options);

  /// Errors: those of the clip's files; the clip or its video is named in them.
  Result<EncodedSample> encode(const data::SamplePlan& plan) const;

  /// Encodes what the cache lacks of these frames: their moments in the crops and the embeddings of the whole
  /// pictures (any frame may be a reference). Returns how many were encoded. `video`: video_of() the clip,
  /// for one part after the other. Errors: as encode().
  Result<int64_t> fill_cache(const ClipPart& part, data::ClipFile& video) const;
  data::ClipFile video_of(size_t clip) const;

  const data::ClipIndex& index() const { return index_; }

 private:
  struct Found;
  Found look_up(const data::SamplePlan& plan) const;
  struct Missing;
  std::vector<Missing> look_up(const ClipPart& part) const;
  /// Decoded pictures, and their share of the budget, are gone when it returns: encoding takes minutes.
  Status load_missing(const data::ClipRecord& clip, std::vector<Missing>& missing,
                      data::ClipFile& video) const;
  int64_t encode_missing(const data::ClipRecord& clip, const std::vector<Missing>& missing) const;
  FrameCrop frame_crop(const data::SamplePlan& plan, int64_t frame) const;
  PictureMoments encode_picture(const data::ClipRecord& clip, const FrameCrop& where,
                                const image::Image& picture) const;
  at::Tensor embedding_input(const image::Image& picture) const;
  at::Tensor embed(const data::ClipRecord& clip, int64_t frame, const at::Tensor& pixels_BCHW) const;
  const Encoders& encoders_;
  const data::ClipIndex& index_;
  EncodedStore latents_, embeddings_;
  EncodeOptions options_;
  std::vector<int64_t> latent_shape_;
};

}  // namespace zt::prepare
