// SPDX-License-Identifier: Apache-2.0
// The second half of pipeline.hpp: latents to pictures.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "generate/pipeline/interpolation.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "tensor/require.hpp"

namespace zt::generate {

Status decode_latents(const models::LatentCodec& codec, const at::Tensor& latents_CFHW,
                      const DecodeOptions& options, const PictureSink& sink, const Hooks& hooks) {
  ZT_REQUIRE(latents_CFHW.dim() == 4 && options.chunk_frames >= 1, "wanted (C, F, H, W), got ", latents_CFHW);
  const at::NoGradGuard no_grad;
  const int64_t num_frames = interpolated_frames(latents_CFHW.size(1), options.interpolation_factor);
  for (int64_t first = 0; first < num_frames; first += options.chunk_frames) {
    ZT_TRY(hooks.check());
    hooks.say(contract::Phase::Generating, "decoding frames", first, num_frames);
    const int64_t end = std::min(first + options.chunk_frames, num_frames);
    std::vector<at::Tensor> chunk;
    for (int64_t i = first; i < end; ++i)
      chunk.push_back(
          interpolated_frame(latents_CFHW, options.interpolation_factor, options.interpolation, i));
    const at::Tensor decoded_FChw =
        codec.decode(at::stack(chunk).div_(codec.scaling()), options.chunk_frames);
    ZT_TRY(sink(first, decoded_FChw.to(at::kFloat).div(2).add_(0.5).clamp_(0, 1).to(at::kCPU)));
  }
  return {};
}

at::Tensor decode_clip(const models::LatentCodec& codec, const at::Tensor& latents_CFHW,
                       int64_t chunk_frames) {
  std::vector<at::Tensor> chunks;
  const auto collect = [&](int64_t, const at::Tensor& pictures_FChw) -> Status {
    chunks.push_back(pictures_FChw);
    return {};
  };
  const Status done = decode_latents(codec, latents_CFHW, {.chunk_frames = chunk_frames}, collect);
  ZT_REQUIRE(done.has_value(), "decoding into memory can't fail");
  return at::cat(chunks);
}

}  // namespace zt::generate
