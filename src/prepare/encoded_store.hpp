// SPDX-License-Identifier: Apache-2.0
// Encoder outputs in a data::CacheStore: posterior moments of cropped frames and embeddings of whole ones,
// one entry per picture. A key names the input's bytes, the frame, the crop, the encoder's weights, the
// stored type and what a GPU traded for speed, so runs share entries and a changed encoder never meets
// old ones. What comes out has been rounded to the stored type whether it was found or just computed: a warm
// cache gives the same training as a cold one, bit for bit. Shapes: C channels, H W latent size, D embedding
// width.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/job/data_job.hpp"
#include "data/cache_store.hpp"
#include "data/clip_index.hpp"
#include "data/keypoints/keypoints.hpp"
#include "tensor/device.hpp"

namespace zt::prepare {

/// A Gaussian over latents, not scaled. Without a log variance it is the mean alone (a deterministic codec).
struct PictureMoments {
  at::Tensor mean_CHW;
  at::Tensor logvar_CHW;
};

/// Which cropped frame, and at what size.
struct FrameCrop {
  int64_t frame = 0;  ///< inside the shot
  data::NormBox crop = {};
  int width = 0;
  int height = 0;
};

class EncodedStore {
 public:
  /// `store` may be null: then nothing is found or kept, but values are rounded all the same. It must outlive
  /// this object. `math`: how the encoders compute on a GPU; entries of another one are apart.
  EncodedStore(data::CacheStore* store, config::CacheDtype dtype, tensor::GpuMath math = {})
      : store_(store), dtype_(dtype), math_(math) {}

  /// Shape of the latents as {C, H, W}; a stored entry of another size counts as absent.
  std::optional<PictureMoments> find_moments(const data::ClipRecord& clip, const FrameCrop& where,
                                             const std::string& codec, at::IntArrayRef shape) const;
  /// Keeps the moments and returns them as later finds will see them. A full disk costs the entry, not the
  /// run: it is logged once and the values are returned.
  PictureMoments keep_moments(const data::ClipRecord& clip, const FrameCrop& where, const std::string& codec,
                              const PictureMoments& moments) const;

  std::optional<at::Tensor> find_embedding(const data::ClipRecord& clip, int64_t frame,
                                           const std::string& encoder, int64_t width) const;
  at::Tensor keep_embedding(const data::ClipRecord& clip, int64_t frame, const std::string& encoder,
                            const at::Tensor& embedding_D) const;

 private:
  std::optional<at::Tensor> find(const std::string& key, int64_t unit_elements) const;
  at::Tensor keep(const std::string& key, const at::Tensor& values) const;
  bool is_usable(const data::ClipRecord& clip) const { return store_ != nullptr && !clip.content.empty(); }
  data::CacheKey start_key(std::string_view kind, const data::ClipRecord& clip, int64_t frame,
                           const std::string& encoder) const;
  std::string moments_key(const data::ClipRecord& clip, const FrameCrop& where,
                          const std::string& codec) const;
  std::string embedding_key(const data::ClipRecord& clip, int64_t frame, const std::string& encoder) const;
  data::CacheStore* store_;
  config::CacheDtype dtype_;
  tensor::GpuMath math_;
};

}  // namespace zt::prepare
