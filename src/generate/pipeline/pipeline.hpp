// SPDX-License-Identifier: Apache-2.0
// Generation as a function of tensors: reference latents, image embedding and poses -> latents by DDIM with
// classifier-free guidance over context windows -> pictures. Used by `generate`, `eval` and training's
// validation. Files, pictures and settings from users are generate/run_generate.hpp's business. Nothing here
// takes part in autograd, and modules and their parameters are never changed. Shapes: C latent channels, F
// frames, H W latent size, h w picture size (H, W times the codec's scale factor), D width of the image
// embedding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/error.hpp"
#include "config/job/generate_job.hpp"
#include "diffusion/ddim.hpp"
#include "generate/hooks.hpp"
#include "models/denoising_unet/denoising_unet.hpp"
#include "models/latent_codec.hpp"
#include "models/pose_guider/pose_guider.hpp"
#include "models/reference_net/reference_net.hpp"
#include "tensor/autocast.hpp"

namespace zt::generate {

/// Borrowed networks.
struct Networks {
  const models::ReferenceNet& reference_net;
  const models::DenoisingUNet& denoising_unet;
  const models::PoseGuider& pose_guider;
};

/// Gives drawn poses by frame number as (1, 3, n, h, w) in [0, 1], on any device. Asked for a few frames at a
/// time, in any order, perhaps more than once: what it decodes or draws need not stay in memory.
using PoseFrames = std::function<Result<at::Tensor>(std::span<const int64_t> frames)>;
/// Poses that are in memory. pose_CFhw: (3, F, h, w).
PoseFrames pose_frames(const at::Tensor& pose_CFhw);

struct SampleInput {
  at::Tensor reference_latents_CHW;  ///< the reference picture's, times the codec's scaling
  at::Tensor image_embedding_D;
  PoseFrames pose;
  int64_t num_frames = 1;
};

struct SampleOptions {
  double guidance_scale = 3.5;  ///< at most 1: no unconditional half
  double guidance_rescale = 0;
  /// Of the start noise and, with eta, of the steps': the numbers torch.manual_seed(seed) gives.
  int64_t seed = 42;
  bool same_noise_per_frame = false;  ///< all frames start from one noise
  /// Type the start noise is drawn in (the reference: its weights' type).
  at::ScalarType noise_dtype = at::kFloat;
  config::ContextJob context;
  config::BankDtype bank_dtype = config::BankDtype::Compute;
  config::MixedPrecision dtype = config::MixedPrecision::Fp32;  ///< autocast of the networks
  /// Of ReferenceNet and pose guider where it is another one: their weights may be kept in a 16-bit type.
  std::optional<tensor::AutocastState> reference_autocast = {}, guider_autocast = {};
  bool one_by_one = false;   ///< one forward pass at a time: units come from other ranks
  int64_t chunk_frames = 8;  ///< frames per call of the pose guider
  /// The pose guider's features are kept between steps up to this size; what does not fit is computed again.
  int64_t pose_memory_bytes = int64_t{1} << 30;
  /// Called after every step with its index and the latents (C, F, H, W).
  std::function<void(size_t step, const at::Tensor& latents_CFHW)> on_step = {};
};

/// Draws start noise and denoises it. Returns fp32 latents (C, F, H, W) on the networks' device, still
/// scaled. Requires: shapes as above (else throws ContractError). Errors: those of input.pose; Cancelled;
/// Numeric if a latent is not finite. Memory: latents and predictions of all frames, activations of one
/// window; never pictures of all frames.
Result<at::Tensor> sample_latents(const Networks& networks, const diffusion::DdimSampler& sampler,
                                  const SampleInput& input, const SampleOptions& options,
                                  const Hooks& hooks = {});

/// The sampler of a schedule that networks were trained with, for generation.
struct SamplerOptions {
  int64_t steps = 30;
  double eta = 0;
  config::TimestepSpacing spacing = config::TimestepSpacing::Trailing;
  config::SamplerBetas betas = config::SamplerBetas::AsTrained;
};
/// Errors: InvalidConfig as DdimSampler::make.
Result<diffusion::DdimSampler> make_sampler(const config::ScheduleJob& trained,
                                            const SamplerOptions& options);

struct DecodeOptions {
  int64_t interpolation_factor = 1;
  config::InterpolationKind interpolation = config::InterpolationKind::Linear;
  int64_t chunk_frames = 8;
};
/// Takes pictures (n, 3, h, w) in [0, 1], fp32, on the CPU, in order.
using PictureSink = std::function<Status(int64_t first_frame, const at::Tensor& pictures_FChw)>;

/// Decodes chunk by chunk, so that memory does not grow with the clip. Errors: those of the sink; Cancelled.
Status decode_latents(const models::LatentCodec& codec, const at::Tensor& latents_CFHW,
                      const DecodeOptions& options, const PictureSink& sink, const Hooks& hooks = {});
/// All pictures at once: (F, 3, h, w) in [0, 1], for short clips.
at::Tensor decode_clip(const models::LatentCodec& codec, const at::Tensor& latents_CFHW,
                       int64_t chunk_frames = 8);

}  // namespace zt::generate
